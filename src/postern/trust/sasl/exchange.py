"""One SASL exchange between a mechanism and a protocol (RFC 4422 section 3): what SMTP, IMAP and POP3 would each do again.

No protocol can carry data with its success reply here, so data that comes with success is one more challenge (section 3.6), which
the client answers before it is told. IMAP and POP3 hand over the lines as they came, in base64; SMTP's machine has decoded them.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from postern.trust.outcome import Challenge, Denied, Granted
from postern.trust.sasl.mechanisms import SaslServer


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The exchange is over without a verdict, and this is why; it is no failed log-in."""

    text: str


class SaslExchange:
    """The SASL exchange of one connection, with one mechanism at a time.

    Bound: linear in the line; the protocol's machine bounds its length.
    """

    def __init__(self) -> None:
        self._server: SaslServer | None = None
        self._granted: Granted | None = None

    def begin(self, server: SaslServer) -> None:
        self._server, self._granted = server, None

    def cancel(self) -> None:
        self._server = self._granted = None

    async def respond(self, response: bytes | None) -> Challenge | Granted | Denied:
        """The client's octets; None at first where it sent no initial response. Only while an exchange is under way."""
        assert self._server is not None
        granted = self._granted
        if granted is not None:
            self.cancel()
            return Granted(granted.identity)
        outcome = await self._server.step(response)
        if isinstance(outcome, Granted) and outcome.data:
            self._granted = outcome
            return Challenge(outcome.data)
        if not isinstance(outcome, Challenge):
            self.cancel()
        return outcome

    async def respond_encoded(self, line: bytes | None) -> Challenge | Granted | Denied | Cancelled:
        """The same for a line in base64; `*` cancels (RFC 9051 section 6.2.2, RFC 5034 section 4)."""
        if line == b"*":
            self.cancel()
            return Cancelled("Authentication cancelled")
        try:
            return await self.respond(binascii.a2b_base64(line, strict_mode=True) if line else line)
        except binascii.Error:
            self.cancel()
            return Cancelled("Not valid base64")


def encoded(challenge: Challenge) -> bytes:
    """A challenge as IMAP and POP3 write it."""
    return binascii.b2a_base64(challenge.data, newline=False)
