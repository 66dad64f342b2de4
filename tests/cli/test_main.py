"""The root of the command line: quick, lazy, and errors in one line."""

from __future__ import annotations

import os
import subprocess
import sys

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
    assert done.stdout.splitlines()[-1] == "['postern', 'postern.cli', 'postern.cli.main', 'postern.cli.terminal']"


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
    assert "No such command 'runn'" in done.stderr


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
        "import os, sys\nfrom postern.cli import main\nfrom postern.host import state\n"
        "state._default = lambda: sys.argv[1] if os.geteuid() == 0 else '/nowhere'\n"
        "print(main._become_owner(None, None, None), os.geteuid())"
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
        (PermissionError(13, "Permission denied", "/x"), 1, "postern: [Errno 13] Permission denied: '/x'\n"),
        (KeyError("x"), 70, "postern: a defect: KeyError: 'x' (POSTERN_DEBUG=1 shows where)\n"),
    ],
)
def test_what_went_wrong_decides_the_status(
    error: Exception, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main._tell(error) == status
    assert capsys.readouterr().err == words
