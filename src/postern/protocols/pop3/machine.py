"""The server's end of a POP3 connection as a pulled machine: `receive`, `next_event` until None, `outgoing`.

Lines are bounded (RFC 2449 section 4: 255 octets; a SASL response may hold a Kerberos ticket); a longer one is passed over and
becomes Invalid. The session decides what a command does. Extensions: RFC 2449, 2595, 5034, 3206.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from postern.protocols.mime.header import header_end

MAX_COMMAND = 255
MAX_RESPONSE = 65_536
_NUMBERS = {"LIST": (0, 1), "UIDL": (0, 1), "RETR": (1, 1), "DELE": (1, 1), "TOP": (2, 2)}
"""Commands whose arguments are numbers: how many at least and at most."""
_PLAIN = frozenset({"STAT", "NOOP", "RSET", "QUIT", "CAPA", "STLS"})
_NUMBER = re.compile(rb"\d{1,10}$")
_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class Command:
    """A command. LIST, UIDL, RETR, DELE and TOP have `numbers`; USER and PASS have `text`. AUTH has its mechanism in `text` and
    its initial response (RFC 5034 section 4) in `initial`, None if there is none."""

    name: str
    numbers: tuple[int, ...] = ()
    text: str = field(default="", repr=False)
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """The client's line in an AUTH exchange, still in base64."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invalid:
    text: str


Event = Command | Response | Invalid


class ServerMachine:
    """The machine of one connection. `ok`, `err` and `lines` answer.

    Bound: linear, in whatever pieces it comes; a line has 255 octets, a response 65,536.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._cut = False
        self._sasl = False
        self._out: list[bytes] = []

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def outgoing(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def clear(self) -> None:
        """Forgets everything that came in: called in the step that begins TLS (RFC 2595 section 4)."""
        self._buffer.clear()
        self._scanned = 0
        self._cut = False

    # Answers

    def ok(self, text: str = "") -> None:
        self._out.append(b"+OK " + text.encode() + b"\r\n" if text else b"+OK\r\n")

    def err(self, text: str, code: str = "") -> None:
        """`code` is a response code of RFC 2449 section 8 or RFC 3206."""
        self._out.append(b"-ERR " + (f"[{code}] " if code else "").encode() + text.encode() + b"\r\n")

    def lines(self, first: str, lines: list[bytes]) -> None:
        """A multi-line answer of short lines that need no stuffing."""
        self.ok(first)
        self._out.extend(line + b"\r\n" for line in lines)
        self._out.append(b".\r\n")

    def message(self, first: str, content: bytes) -> None:
        """A multi-line answer that is a message: byte-stuffed (RFC 1939 section 3), its last line ended."""
        if content.startswith(b".") or b"\n." in content:
            content = _DOT.sub(b"..", content)
        end = b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n"
        self._out.append(b"+OK " + first.encode() + b"\r\n" + content + end)

    def challenge(self, encoded: bytes) -> None:
        """A continuation of AUTH; the client's next line comes as Response."""
        self._out.append(b"+ " + encoded + b"\r\n")
        self._sasl = True

    # Events

    def next_event(self) -> Event | None:
        line = self._take_line()
        if line is None:
            return None
        cut, self._cut = self._cut, False
        sasl, self._sasl = self._sasl, False
        if cut:
            return Invalid("Line too long")
        return Response(line) if sasl else _parse(line)

    def _take_line(self) -> bytes | None:
        auth = self._sasl or self._buffer[:5].upper() == b"AUTH "
        bound = MAX_RESPONSE if auth else MAX_COMMAND
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            if len(self._buffer) > bound:
                self._cut = True
                self._buffer.clear()
            self._scanned = len(self._buffer)
            return None
        self._cut = self._cut or end >= bound
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line[:-1] if line.endswith(b"\r") else line


def _parse(line: bytes) -> Event:
    word, _, rest = line.partition(b" ")
    name = word.decode("ascii", "replace").upper()
    if name in _PLAIN:
        return Invalid("No arguments expected") if rest else Command(name)
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        arguments = rest.split()
        if not least <= len(arguments) <= most or not all(_NUMBER.match(word) for word in arguments):
            return Invalid("Message number expected")
        return Command(name, tuple(map(int, arguments)))
    if name in ("USER", "PASS"):
        try:
            text = rest.decode("utf-8")
        except ValueError:
            return Invalid("Not valid UTF-8")
        # RFC 1939 section 7: PASS's argument is everything behind the one space
        return Command(name, text=text) if text else Invalid("Argument expected")
    if name == "AUTH":
        mechanism, space, initial = rest.partition(b" ")
        text = mechanism.decode("ascii", "replace").upper()
        return Command(name, text=text, initial=(b"" if initial == b"=" else initial) if space else None)
    return Invalid("Unknown command")


def top(content: bytes, lines: int) -> bytes:
    """The header, the empty line and the first `lines` lines of the body (RFC 1939 section 7).

    Bound: linear in the content.
    """
    at = header_end(content, 0, len(content))
    for _ in range(lines):
        following = content.find(b"\n", at)
        if following < 0:
            return content
        at = following + 1
    return content[:at]
