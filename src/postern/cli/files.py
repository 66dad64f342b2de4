"""Opens the files that a command reads or writes, while the arguments are read, as the user who typed the command.

Root's commands are carried out as the state folder's owner, who may not read or write where root may.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

import click

from postern.cli.failures import Failure


class Input(click.File):
    """The parameter type of a file to be read; the command gets its octets as a binary file."""

    def __init__(self) -> None:
        super().__init__("rb")

    def fail(self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None) -> NoReturn:
        """Says it as a failure: the command was understood."""
        name, _, problem = message.rpartition(": ")
        raise Failure(f"{name.strip(chr(39))} cannot be read: {problem}", os.EX_NOINPUT)


class Output(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    """The parameter type of a file to be written; the command gets an `OutputFile`.

    A `secret` one is its owner's alone to read and is not reached through a symbolic link.
    """

    name = "file"

    def __init__(self, secret: bool = False) -> None:
        self._secret = secret

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> OutputFile:
        if isinstance(value, OutputFile):
            return value
        try:
            if not self._secret:
                return OutputFile(value, os.open(value, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
            handle = os.open(value, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.fchmod(handle, 0o600)
            return OutputFile(value, handle)
        except OSError as error:
            raise Failure(f"{value} cannot be written: {error.strerror}", os.EX_CANTCREAT) from None


class OutputFile:
    """An open file. What was in it stays until `write`, which replaces it whole."""

    def __init__(self, name: str, handle: int) -> None:
        self.name = name
        self._handle = handle

    def write(self, data: bytes) -> None:
        try:
            with os.fdopen(self._handle, "wb") as out:
                if out.seekable():
                    out.truncate(0)
                out.write(data)
        except OSError as error:
            raise Failure(f"{self.name} cannot be written: {error.strerror}", os.EX_IOERR) from None
