"""Sends text to the terminal, with control, bidirectional and invisible characters as escapes.

A name, subject, address or error text of a stranger may hold sequences that a terminal obeys (ESC, C1), that make a line
read differently from what it says (bidirectional controls, Unicode TR36), or that forge a line (a line feed). Commands print
with `echo` (one line), `echo_page` (a text of our own with many), `print_table`, `print_fields`, `echo_json` and
`console.Console`, and ask with `ask`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from postern.cli.console import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with every value whole.")

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """`text` with each unsafe character as an escape such as \\x1b or \\u202e; tabs and line feeds stay.

    Bound: linear in the text; at most ten characters for one.
    """
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """`visible` for a field or a line: a line feed is an escape too, so that no field looks like a line of ours.

    Bound: linear in the text; at most ten characters for one.
    """
    return visible(text).replace("\n", "\\x0a")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def echo(line: str = "", *, err: bool = False, **style: Any) -> None:
    """Prints one line, escaped, to standard output or standard error; `style` as click.style takes it."""
    click.secho(one_line(line), err=err, **style)


def echo_page(text: str, *, err: bool = False) -> None:
    """Prints a text whose line feeds we made ourselves (a ruleset, a picture, usage); fields in it go through `one_line`."""
    click.echo(visible(text), err=err, nl=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], empty: str) -> None:
    """Prints rows of fields below their headings, or says `empty`. `console.print_rows` lays them out."""
    if not rows:
        echo(empty)
        return
    from postern.cli.console import print_rows  # rich is slow to import

    print_rows(columns, rows)


def print_fields(fields: Mapping[str, str]) -> None:
    """Prints the fields of one thing, a line each; an empty field has none."""
    from postern.cli.console import print_fields

    print_fields(fields)


def echo_json(value: Any) -> None:
    """Prints a value as JSON, in which unsafe characters stand as JSON's own escapes: it stays valid and means the same."""
    click.echo(_UNSAFE.sub(_json_escape, json.dumps(value, ensure_ascii=False, indent=2)))


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"


def ask(question: str, option: str) -> None:
    """Ends the command unless the answer is yes. Where nobody can answer, the error names the `option` that does."""
    try:
        click.confirm(one_line(question), abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        echo(err=True)  # ends the line of the question
        raise click.UsageError(f"nobody said yes, and there is no terminal to ask at: use {option}") from None


def ask_password(question: str, options: str, *, twice: bool = False) -> str:
    """Asks for a password at the terminal, unseen. Where there is no terminal, the error names the `options` to use instead."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask for a password: use {options}")
    password: str = click.prompt(one_line(question), hide_input=True, confirmation_prompt=twice, err=True)
    return password


def moment(seconds: float, digits: int = 0) -> str:
    """A moment as all commands and logs write it, ISO 8601 in UTC: "2026-11-24T01:43:23Z"; `digits` of a second, rounded down."""
    fraction = f".{int(seconds % 1 * 10**digits):0{digits}}" if digits else ""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"


def json_moment(seconds: float) -> str | None:
    """A moment as JSON has it, to the millisecond; None for none."""
    return moment(seconds, 3) if seconds else None


def day(seconds: float) -> str:
    """The day of a moment in UTC, "2026-11-24"; a dash for none."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds)) if seconds else "-"
