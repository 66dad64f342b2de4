"""Replies: RFC 5321 section 4.2, with the enhanced status codes of RFC 2034 and RFC 3463.

Rendered by the server, parsed by the client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_REPLY_LINE = 4096
"""Octets of a line of a reply. RFC 5321 section 4.5.3.1.5 says 512; peers send more."""
MAX_REPLY_LINES = 200

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3}) ?")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. `enhanced` is "" where there is none (greeting, EHLO, 334, 354). `text` may hold several lines, joined by
    "\\n"."""

    code: int
    enhanced: str
    text: str

    def encode(self) -> bytes:
        prefix = f"{self.enhanced} " if self.enhanced else ""
        if "\n" not in self.text:
            return f"{self.code} {prefix}{self.text}\r\n".encode()
        lines = self.text.split("\n")
        body = "".join(f"{self.code}-{prefix}{line}\r\n" for line in lines[:-1])
        return f"{body}{self.code} {prefix}{lines[-1]}\r\n".encode()

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 400

    @property
    def status(self) -> str:
        """The enhanced code, or the class's own general one (RFC 3463 X.0.0) where the peer gave none that fits its class."""
        klass = self.code // 100
        return self.enhanced if self.enhanced[:1] == str(klass) else f"{klass}.0.0"

    @property
    def words(self) -> str:
        """The reply on one line, as RFC 3464's Diagnostic-Code wants it."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        return f"{self.code} {prefix}{' '.join(self.text.split())}"


class ReplyParser:
    """Collects the lines of one reply after the other. Lenient where servers are sloppy (a bare LF ends a line too).

    Bound: linear; at most 200 lines.
    """

    def __init__(self) -> None:
        self._code = 0
        self._lines: list[str] = []

    def line(self, line: bytes) -> Reply | str | None:
        """Takes a line without its end. Returns the reply that it completes, None if more lines follow, or a text that says what
        is wrong."""
        match = _LINE.fullmatch(line)
        if match is None:
            return "no reply code"
        code = int(match[1])
        if self._lines and code != self._code:
            return "reply code changed between lines"
        if len(self._lines) >= MAX_REPLY_LINES:
            return "too many reply lines"
        self._code = code
        text = "".join(c if c.isprintable() else "?" for c in match[3].decode("utf-8", "replace"))
        self._lines.append(text)
        if match[2] == b"-":
            return None
        lines, self._lines = self._lines, []
        enhanced = _ENHANCED.match(lines[-1])
        if enhanced is None:
            return Reply(code, "", "\n".join(lines))
        return Reply(code, enhanced[1], "\n".join(line.removeprefix(enhanced[0]) for line in lines))
