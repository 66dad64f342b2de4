"""The root of the command line: quick, lazy, and errors in one line.

covers: files, state_folder
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from postern.cli import main
from postern.host.state import StateError
from tests.host.folders import short_folder


def postern(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from postern.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def test_help_lists_the_commands_that_are_there() -> None:
    done = postern("--help")
    assert done.returncode == 0
    for name in ("run", "verify"):
        assert f"\n  {name} " in done.stdout


def test_help_imports_no_command() -> None:
    code = (
        "import sys\nfrom postern.cli.main import main\n"
        "try: main()\nexcept SystemExit: print(sorted(m for m in sys.modules if m.startswith('postern')))"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == str(
        [
            "postern",
            "postern.cli",
            "postern.cli.called",
            "postern.cli.main",
            "postern.cli.state_folder",
            "postern.cli.terminal",
        ]
    )


@pytest.mark.parametrize("name", main.COMMANDS)
def test_each_command_that_is_listed_can_be_called(name: str) -> None:
    if f"\n  {name} " not in postern("--help").stdout:
        pytest.skip(f"{name} is not built")
    done = postern(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: postern {name}")


def test_the_version_is_the_packages() -> None:
    assert postern("--version").stdout == "postern 0.1.0\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    done = postern("runn")
    assert done.returncode == 2
    assert 'there is no command runn; did you mean "run"?' in done.stderr
    assert "No such command 'zzzz'" in postern("zzzz").stderr


def test_our_own_errors_are_one_line() -> None:
    with short_folder() as folder:
        (folder / "letter.txt").write_text("mine")
        done = postern("run", "--state", str(folder))
    assert done.returncode == 1
    assert done.stderr == (
        f"postern: {folder} is no state folder of Postern and is not empty: choose another --state\n"
    )
    assert done.stdout == ""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another")
def test_roots_default_folder_stays_the_one_that_is_meant() -> None:
    code = (
        "import os, sys\nfrom postern.cli import state_folder\nfrom postern.host import state\n"
        "state._default = lambda: sys.argv[1] if os.geteuid() == 0 else '/nowhere'\n"
        "print(state_folder.become_owner(None), os.geteuid())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "POSTERN_STATE"}
    with short_folder() as folder:
        (folder / "lock").touch()
        os.chown(folder, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, env=environment
        )
    assert done.stdout == f"{folder} 65534\n", done.stderr


def test_debug_shows_where() -> None:
    with short_folder() as folder:
        (folder / "letter.txt").write_text("mine")
        done = postern("run", "--state", str(folder), POSTERN_DEBUG="1")
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (StateError("no"), 1, "postern: no\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "postern: /x: Permission denied\n"),
        (StateError("two\npostern: lines"), 1, "postern: two\n  postern: lines\n"),
        (KeyError("x"), 70, "postern: a defect: KeyError: 'x' (POSTERN_DEBUG=1 shows where)\n"),
    ],
)
def test_what_went_wrong_decides_the_status(
    error: Exception, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main._tell(error) == status
    assert capsys.readouterr().err == words


@pytest.mark.parametrize(
    "words",
    [
        ("--state", "DIR", "queue", "list"),
        ("queue", "--state", "DIR", "list"),
        ("queue", "list", "--state", "DIR"),
        ("--state", "/elsewhere", "queue", "--state", "/elsewhere", "list", "--state", "DIR"),
        ("--state", "DIR", "paths", "observed"),
        ("paths", "--state", "DIR", "map"),
    ],
)
def test_the_state_folder_is_named_before_or_after_the_subcommand(words: tuple[str, ...]) -> None:
    with short_folder() as folder:
        (folder / "queue").mkdir(mode=0o700)
        done = postern(*[str(folder) if word == "DIR" else word for word in words], POSTERN_STATE="/nowhere")
    assert "nowhere" not in done.stderr and "elsewhere" not in done.stderr
    if "map" in words:
        assert str(folder) in done.stderr, "it says where no organization is"
    else:
        assert done.returncode == 0, done.stderr


def test_a_usage_error_has_the_form_of_every_error() -> None:
    done = postern("queue", "show")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "postern: Missing argument 'QUEUE_ID'."


def test_where_nobody_can_be_asked_the_option_that_answers_is_named() -> None:
    for words in (("user", "remove", "alice"), ("group", "remove", "all"), ("policy", "address", "remove", "x")):
        done = subprocess.run(
            [sys.executable, "-c", "from postern.cli.main import main; main()", *words, "--state", "/nowhere"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if os.geteuid() != 0:
            assert done.returncode == 2 and "use --yes" in done.stderr, done.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another")
def test_a_file_to_write_is_opened_before_the_account_changes() -> None:
    """In a folder that the state folder's owner may not enter; a file to read likewise."""
    with short_folder() as folder, short_folder() as private:
        state = configuration_of(folder)
        picture, mail = private / "f.svg", private / "mail.eml"
        mail.write_bytes(b"From: a@remote.test\r\nTo: alice@example.test\r\n\r\nhello\r\n")
        mail.chmod(0o600)
        private.chmod(0o700)
        drawn = postern("paths", "map", "--output", str(picture), "--state", str(state))
        tried = postern("agent", "test", str(mail), "--offline", "--state", str(state))
        assert drawn.returncode == 0, drawn.stderr
        assert picture.read_text().startswith("<svg")
        assert picture.stat().st_uid == 0
        assert "Permission denied" not in tried.stderr and "cannot" not in tried.stderr, tried.stderr


def configuration_of(folder: Path) -> Path:
    """A state folder with the default organization, of the account that serves."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys\nfrom postern.host import configuration, state\n"
            "made = state.create(sys.argv[1]); configuration.default(made)",
            str(folder / "state"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "state"


@pytest.mark.parametrize(
    "words", [("queue", "list"), ("queue", "drop", "--all"), ("trace", "x"), ("paths", "observed")]
)
def test_a_mistyped_state_folder_is_not_taken_for_an_empty_one(words: tuple[str, ...]) -> None:
    done = postern(*words, "--state", "/nowhere/at/all")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no state folder /nowhere/at/all" in done.stderr
