"""Commands in processes of their own, which are forks of one that has imported what most of them need: half a second each.

`python -m tests.cli.forked` is that process: it reads a call on each line of its input, and prints how the command ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

NEEDED = ("postern.host.directory", "postern.host.engines.start", "postern.verify.runner")
"""What commands import only when they run."""


class Commands:
    """Runs commands as a shell would, one after another. The process behind it is started by the first call."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        if self._process is None:
            command = [sys.executable, "-m", "tests.cli.forked"]
            root = Path(__file__).parents[2]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([os.getcwd(), arguments, os.environ | environment]) + "\n")
        self._process.stdin.flush()
        status, out, err = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, out, err)

    def end(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None


def serve() -> None:
    from postern.cli import main

    for name in (*(f"postern.cli.{name}" for name in main.COMMANDS), *NEEDED):
        importlib.import_module(name)
    gc.freeze()  # what is here already is neither looked through nor copied in forks
    while line := sys.stdin.readline():
        folder, arguments, environment = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if not child:
                become(folder, environment, out.fileno(), err.fileno())
                sys.argv = ["postern", *arguments]
                os._exit(status_of(main.main))
            _, status = os.waitpid(child, 0)
            said = [text_of(out.fileno()), text_of(err.fileno())]
        print(json.dumps([os.waitstatus_to_exitcode(status), *said]), flush=True)


def become(folder: str, environment: dict[str, str], out: int, err: int) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(file, number)


def status_of(command: Callable[[], NoReturn]) -> int:
    """Runs it to its end, without the taking apart of modules that follows in a process."""
    status: object = 0
    try:
        command()
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    assert isinstance(status, int)
    return status


def text_of(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


if __name__ == "__main__":
    serve()
