"""The exception that ends a command with a tagged NO or BAD, and the ways to make one."""

from __future__ import annotations


class CommandFailed(Exception):
    """Ends a command with a tagged NO or BAD."""

    def __init__(self, status: str, text: str, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code


def no(text: str, code: str = "") -> CommandFailed:
    return CommandFailed("NO", text, code)


def bad(text: str) -> CommandFailed:
    return CommandFailed("BAD", text)
