"""What one connection of the server's machine may hold."""

from __future__ import annotations

from dataclasses import dataclass

from postern.protocols.smtp.content import PIECE

MAX_AUTH_LINE = 12_288
"""RFC 4954 section 4: what a line of an exchange may hold at least."""
STEPS = 64
"""Commands that the machine answers by itself before there is an event."""


@dataclass(frozen=True, slots=True)
class ServerBounds:
    """Octets and counts. `errors` are replies of 500 and above before 421 ends the connection."""

    line_length: int = 8192
    message_size: int = 36_700_160
    recipients: int = 5000
    errors: int = 20
    piece: int = PIECE
