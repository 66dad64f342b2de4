"""Files that a command is told to write: opened while the arguments are read, as whoever typed the command.

Root's commands are carried out as the state folder's owner, who may not write where root may. Files to be read are click's
own `File("rb")`, which opens them at the same time.
"""

from __future__ import annotations

import os
from typing import Any

import click


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
            raise click.ClickException(f"{value} cannot be written: {error.strerror}") from None


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
            raise click.ClickException(f"{self.name} cannot be written: {error.strerror}") from None
