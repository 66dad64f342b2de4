"""Bounds of one connection of the server's machine."""

from __future__ import annotations

from dataclasses import dataclass

from postern.protocols.smtp.content import PIECE

MAX_AUTH_LINE = 12_288
"""Octets of a line of an AUTH exchange; RFC 4954 section 4 asks for as many."""
STEPS = 64
"""Commands that the machine answers by itself at most before there is an event."""


@dataclass(frozen=True, slots=True)
class ServerBounds:
    """Bounds in octets and counts. `errors` are replies of 500 and above before 421 ends the connection."""

    line_length: int = 8192
    message_size: int = 36_700_160
    recipients: int = 5000
    errors: int = 20
    piece: int = PIECE
