"""The root of the command line: quick, lazy, and errors in one line.

covers: files, state_folder
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.cli import failures, main
from postern.directory.adam.client import BindRefused
from postern.host.state import StateError
from postern.model.directory import IncompleteAnswer
from tests.cli.forked import Commands
from tests.host.folders import short_folder

COMMANDS = Commands()
postern = COMMANDS.run


@pytest.fixture(scope="module", autouse=True)
def commands() -> Iterator[None]:
    yield
    COMMANDS.end()


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
            "postern.cli.failures",
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
    assert done.returncode == os.EX_USAGE
    assert 'there is no command runn; did you mean "run"?' in done.stderr
    assert "No such command 'zzzz'" in postern("zzzz").stderr


def test_our_own_errors_are_one_line() -> None:
    with short_folder() as folder:
        (folder / "letter.txt").write_text("mine")
        done = postern("run", "--state", str(folder))
    assert done.returncode == os.EX_CONFIG
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


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another")
@pytest.mark.parametrize("kept", [True, False])
def test_a_command_that_answers_on_port_80_keeps_the_right_to_open_it(kept: bool) -> None:
    code = (
        "import os, socket, sys\nfrom postern.cli import state_folder\n"
        f"state_folder.become_owner(sys.argv[1], {kept})\n"
        "socket.socket().bind(('127.0.0.77', 80))\nprint(os.geteuid())"
    )
    with short_folder() as folder:
        (folder / "lock").touch()
        os.chown(folder, 65534, 65534)
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert (done.stdout == "65534\n") is kept and ("PermissionError" in done.stderr) is not kept


def test_debug_shows_where() -> None:
    with short_folder() as folder:
        (folder / "letter.txt").write_text("mine")
        done = postern("run", "--state", str(folder), POSTERN_DEBUG="1")
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (StateError("no"), os.EX_CONFIG, "postern: no\n"),
        (PermissionError(13, "Permission denied", "/x"), os.EX_NOPERM, "postern: /x: Permission denied\n"),
        (OSError(28, "No space left on device", "/x"), os.EX_IOERR, "postern: /x: No space left on device\n"),
        (StateError("two\npostern: lines"), os.EX_CONFIG, "postern: two\n  postern: lines\n"),
        (IncompleteAnswer("no"), os.EX_TEMPFAIL, "postern: no\n"),
        (BindRefused("no"), os.EX_UNAVAILABLE, "postern: no\n"),
        (KeyError("x"), os.EX_SOFTWARE, "postern: a defect: KeyError: 'x': POSTERN_DEBUG=1 shows where\n"),
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
    assert done.returncode == os.EX_USAGE
    assert done.stderr.splitlines()[-1] == "postern: Missing argument 'QUEUE_ID'."


@pytest.mark.parametrize("words", [(), ("queue",)])
def test_without_a_command_the_help_is_shown_and_nothing_was_done(words: tuple[str, ...]) -> None:
    done = postern(*words)
    assert done.returncode == os.EX_USAGE and done.stdout == ""
    assert done.stderr == postern(*words, "--help").stdout


def test_where_nobody_can_be_asked_the_option_that_answers_is_named() -> None:
    for words in (("user", "remove", "alice"), ("group", "remove", "all"), ("policy", "address", "remove", "x")):
        done = postern(*words, "--state", "/nowhere")
        if os.geteuid() != 0:
            assert done.returncode == os.EX_USAGE and "use --yes" in done.stderr, done.stderr


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


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("queue", "retry"), os.EX_USAGE),
        (("user", "quota", "alice", "much"), os.EX_USAGE),
        (("paths", "show", "imap5"), os.EX_USAGE),
        (("agent", "test", "/nowhere/mail.eml"), os.EX_NOINPUT),
        (("agent", "add", "spf", "nothing", "x"), os.EX_DATAERR),
        (("domain", "dkim", "elsewhere.test"), os.EX_DATAERR),
        (("queue", "show", "a1-1"), os.EX_NOUSER),
        (("trace", "nobody@x.test"), os.EX_NOUSER),
        (("paths", "firewall", "--host", "nobody"), os.EX_NOUSER),
        (("user", "list"), os.EX_UNAVAILABLE),
        (("verify",), os.EX_UNAVAILABLE),
        (("paths", "map", "--output", "/nowhere/map.svg"), os.EX_CANTCREAT),
        (("topology",), os.EX_CONFIG),
        (("setup", "ad"), os.EX_CONFIG),
        (("policy", "address", "list"), os.EX_CONFIG),
        (("edge", "subscription", "new"), os.EX_CONFIG),
    ],
)
def test_a_failure_has_its_status_and_one_line(
    words: tuple[str, ...], status: int, quiet: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On a state folder with an organization whose servers do not run."""
    monkeypatch.setattr("sys.argv", ["postern", *words, "--state", str(quiet)])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # as nobody who could change the account
    monkeypatch.setattr("postern.cli.trace._BUFFERED", 0)
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capfd.readouterr()
    assert ended.value.code == status, said.err
    assert said.err.splitlines()[-1].startswith("postern: ") and said.out == ""


@pytest.fixture(scope="module")
def quiet() -> Iterator[Path]:
    with short_folder() as folder:
        made = configuration_of(folder)
        for name in ("directory", "probe-account"):
            secret = made / "secrets" / name
            secret.write_text("of a start\n")
            os.chown(secret, made.stat().st_uid, made.stat().st_gid)
        yield made


@pytest.mark.parametrize("prepared", [False, True])
def test_a_command_where_nothing_was_started_says_so_and_writes_nothing(prepared: bool) -> None:
    with short_folder() as folder:
        made = configuration_of(folder)
        if not prepared:  # by hand, with a configuration alone
            for part in made.iterdir():
                if part.is_dir():
                    part.rmdir()
        before = sorted(made.rglob("*"))
        for words in (("user", "list"), ("mailbox", "stats"), ("verify",), ("mailbox", "list"), ("domain", "list")):
            done = postern(*words, "--state", str(made))
            assert (done.returncode, done.stdout) == (os.EX_CONFIG, ""), (words, done.stderr)
            assert done.stderr == (
                f"postern: the organization at {made} has not been started here: start it with `postern run`, or name another "
                "with --state\n"
            )
            assert sorted(made.rglob("*")) == before, words


@pytest.mark.parametrize("name", failures._STATUS)
def test_each_class_that_has_a_status_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


@pytest.mark.parametrize("words", [("paths", "docs"), ("paths",), ("paths", "show", "imap4")])
def test_a_reader_that_goes_away_is_no_failure_to_speak_of(words: tuple[str, ...]) -> None:
    """`postern … | head -1`, with a page of our own and with tables that rich prints."""
    postern = subprocess.Popen(
        [sys.executable, "-c", "from postern.cli.main import main; main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert postern.stdout is not None and postern.stderr is not None
    postern.stdout.close()
    assert postern.stderr.read() == b""
    assert postern.wait() == failures.READER_GONE


@pytest.mark.parametrize("words", ["paths", "--help", "user list"])
def test_a_closed_standard_output_is_told_before_anything_is_done(words: str) -> None:
    code = "from postern.cli.main import main; main()"
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {words} >&-', sys.executable, code], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == os.EX_IOERR
    assert done.stderr.startswith("postern: standard output is closed") and done.stderr.count("\n") == 1


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
    assert (done.returncode, done.stdout) == (os.EX_CONFIG, "")
    assert "there is no state folder /nowhere/at/all" in done.stderr
