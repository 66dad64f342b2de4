"""The server's end of an IMAP connection as a pulled machine: `receive` bytes, take `next_event` until None, send `outgoing`.

It frames lines and literals (RFC 9051 section 4.3, LITERAL+ of RFC 7888), keeps every buffer bounded, and leaves what a
command means to `parse` and what happens to the session. Memory: one command, at most `max_command` bytes, and while
`max_message` is above 0 an APPEND's messages, together at most `max_append`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from postern.protocols.imap.commands import PAUSE, Command, Invalid, Overflow, Response
from postern.protocols.imap.parse import parse, tag_of

_LITERAL_END = re.compile(rb"~?\{(\d{1,19})(\+?)\}$")
_APPEND = re.compile(rb"[^ ]+ APPEND ", re.IGNORECASE)

STRANGER_COMMAND = 8192
"""Bytes of a command before authentication, but for those of _LONG."""
STRANGER_RESPONSE = 65536
_LONG = re.compile(rb"[^ ]{1,80} (?:AUTHENTICATE|ID) ", re.IGNORECASE)
"""Commands of which a stranger may send up to STRANGER_RESPONSE octets: an initial response may hold a Kerberos ticket, and ID
thirty pairs of 30 and 1,024 octets (RFC 2971 section 3.3)."""
MEMBER_COMMAND = 262_144
MAX_PASSED_OVER = 256 * 1024 * 1024
"""A refused literal that is sent without waiting is read and forgotten up to this size; beyond it the line is cut."""


STEPS = 64
"""Lines and literals that are taken before there is an event, be it PAUSE."""


class Mode(Enum):
    COMMANDS = 1
    SASL = 2
    IDLE = 3


class ServerMachine:
    """The machine of one connection. The session sets `utf8` (mailbox names in UTF-8) and the bounds as the state changes.

    Bound: linear, in whatever pieces it comes; one command of `max_command` octets, messages of `max_append`.
    """

    def __init__(self) -> None:
        self.utf8 = False
        self.max_command = STRANGER_COMMAND
        self.max_message = 0
        self.max_append = 0
        self.take_room: Callable[[int], bool] = lambda size: True
        """Asked before a message's literal of so many octets is let in."""
        self._buffer = bytearray()
        self._scanned = 0
        self._mode = Mode.COMMANDS
        self._tag = b"*"
        self._text: list[bytes] = []
        self._literals: list[bytes] = []
        self._size = 0
        self._messages = 0
        self._literal_left = 0
        self._literal: bytearray | None = None
        self._refused: Invalid | None = None
        self._cut = False
        self._over = False
        self._out: list[bytes | memoryview] = []

    # Bytes

    def receive(self, data: bytes) -> None:
        if not self._over:
            self._buffer += data

    def send(self, data: bytes | memoryview) -> None:
        self._out.append(data)

    def outgoing(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def has_message(self) -> bool:
        """Whether messages of an APPEND that is not complete are here, or are coming."""
        return self._messages > 0

    def clear(self) -> None:
        """Forgets everything that came in: called in the step that begins TLS (RFC 9051 section 6.2.1)."""
        self._buffer.clear()
        self._scanned = 0
        self._reset()

    # What the session asks for

    def challenge(self, encoded: bytes) -> None:
        """Sends a continuation of AUTHENTICATE; the client's next line comes as Response."""
        self.send(b"+ " + encoded + b"\r\n")
        self._mode = Mode.SASL

    def idle(self) -> None:
        """Begins IDLE: the client's next line, whatever it says, comes as Command(name="DONE") or Invalid."""
        self.send(b"+ idling\r\n")
        self._mode = Mode.IDLE

    # Events

    def next_event(self) -> Command | None:
        for _ in range(STEPS):
            if self._over:
                return None
            if self._literal_left and not self._take_literal():
                return None
            line = self._take_line()
            if line is None:
                return None
            event = self._of_line(line)
            if event is not None:
                return event
        return PAUSE

    def _take_literal(self) -> bool:
        """Moves a literal's bytes out of the buffer; True when it is whole. A refused one is only counted."""
        part = min(self._literal_left, len(self._buffer))
        if self._literal is not None:
            self._literal += memoryview(self._buffer)[:part]
        del self._buffer[:part]
        self._scanned = 0
        self._literal_left -= part
        if self._literal_left:
            return False
        self._keep_literal()
        return True

    def _keep_literal(self) -> None:
        if self._literal is not None:
            self._literals.append(bytes(self._literal))
            self._literal = None

    def _take_line(self) -> bytes | None:
        """The next line without its end; a line beyond the bound is passed over up to its end."""
        end = self._buffer.find(b"\n", self._scanned)
        bound = STRANGER_RESPONSE if self._mode is Mode.SASL else max(self._most() - self._size, 0)
        if end < 0:
            if len(self._buffer) > bound + 1:
                self._cut_line()
                self._buffer.clear()
            self._scanned = len(self._buffer)
            return None
        if end > bound + 1:
            self._cut_line()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line[:-1] if line.endswith(b"\r") else line

    def _most(self) -> int:
        """Octets that the coming command may have, with its literals."""
        if self.max_command < STRANGER_RESPONSE and _LONG.match(self._text[0] if self._text else self._buffer):
            return STRANGER_RESPONSE
        return self.max_command

    def _cut_line(self) -> None:
        if not self._cut:
            self._cut = True
            head = self._text[0] if self._text else bytes(self._buffer[:200])
            self._refused = self._refused or Invalid(tag_of(head), "", "Command line too long")

    def _of_line(self, line: bytes) -> Command | None:
        if self._mode is not Mode.COMMANDS:
            return self._answer(line)
        if self._cut:  # the line's beginning is gone; what is left of it may not be taken for a literal's size
            return self._finish()
        announced = _LITERAL_END.search(line)
        if announced is not None:
            return self._begin_literal(line, int(announced.group(1)), bool(announced.group(2)))
        if self._refused is not None:
            return self._finish()
        self._text.append(line)
        text = b"".join(self._text)
        literals = self._literals
        self._reset()
        if not text:
            return None  # an empty line between commands: passed over, as most servers do
        if b"\x00" in text or b"\r" in text.replace(b"\r\n", b""):
            return Invalid(tag_of(text), "", "Control character in a command")
        command = parse(text, literals, self.utf8)
        self._tag = command.tag
        return command

    def _answer(self, line: bytes) -> Command:
        """Takes the client's line inside AUTHENTICATE or IDLE."""
        mode, self._mode = self._mode, Mode.COMMANDS
        cut, self._cut, self._refused = self._cut, False, None
        if cut:
            return Invalid(self._tag, "", "Line too long")
        if mode is Mode.SASL:
            return Response(self._tag, "AUTHENTICATE", line)
        if line.upper() == b"DONE":
            return Command(self._tag, "DONE")
        return Invalid(self._tag, "IDLE", "Expected DONE")

    def _finish(self) -> Invalid | None:
        refused = self._refused
        self._reset()
        return refused

    def _begin_literal(self, line: bytes, size: int, at_once: bool) -> Command | None:
        """Takes a line that ends in "{n}": the client waits for "+", or with "{n+}" it does not."""
        if self._refused is None:
            self._text.append(line + b"\r\n")
            self._size += len(line) + 2
            self._refused = self._refusal(size)
        if self._refused is not None:
            self._literals.clear()
        else:
            self._literal_left = size
            self._literal = bytearray()
            if not size:
                self._keep_literal()
            if not at_once:
                self.send(b"+ OK\r\n")
            return None
        if not at_once:
            return self._finish()
        if size > MAX_PASSED_OVER:
            self._over = True
            self._buffer.clear()
            return Overflow(self._refused.tag, "", "Literal too large")
        self._literal_left = size
        self._literal = None
        return None

    def _refusal(self, size: int) -> Invalid | None:
        """The refusal of a literal of this size, or None. Counts its bytes towards the command."""
        tag = tag_of(self._text[0])
        if self.max_message and _APPEND.match(self._text[0]):
            if size > self.max_message:
                return Invalid(tag, "APPEND", "Message too large", "TOOBIG")
            if self._messages + size > self.max_append:
                return Invalid(tag, "APPEND", "Messages too large together", "LIMIT")
            if not self.take_room(size):
                return Invalid(tag, "APPEND", "Too many large messages are coming in at once: try again", "LIMIT")
            self._messages += size
            return None
        if self._size + size > self._most():
            return Invalid(tag, "", "Literal too large")
        self._size += size
        return None

    def _reset(self) -> None:
        self._text = []
        self._literals = []
        self._size = 0
        self._messages = 0
        self._literal_left = 0
        self._literal = None
        self._refused = None
        self._cut = False
