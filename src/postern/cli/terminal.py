"""The way of foreign text to a terminal: control, bidirectional and invisible characters are shown as escapes, never sent.

A name, subject, address or error text of a stranger may hold sequences that a terminal obeys (ESC, C1) or that make a line
read differently from what it says (bidirectional controls, Unicode TR36).
Commands print with `echo`, `echo_json` and `console.Console`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import click

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """`text` with each unsafe character as an escape such as \\x1b or \\u202e; tabs and line feeds stay.

    Bound: linear in the text; at most ten characters for one.
    """
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Prints plain text, escaped, to standard output or standard error."""
    click.echo(visible(text), err=err, nl=nl)


def echo_json(value: Any) -> None:
    """Prints a value as JSON, in which unsafe characters stand as JSON's own escapes: it stays valid and means the same."""
    click.echo(_UNSAFE.sub(_json_escape, json.dumps(value, ensure_ascii=False, indent=2)))


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"
