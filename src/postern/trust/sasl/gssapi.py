"""SASL GSSAPI (RFC 4752), the server's side: an exchange by Kerberos, after which the client must choose no security layer, since
TLS protects the connection.
"""

from __future__ import annotations

from dataclasses import replace

from postern.trust.acceptor import FAILED, FOR_ANOTHER, Challenge, Denied, Granted, Outcome
from postern.trust.contexts import SecurityFailure
from postern.trust.exchanges import ByKerberos, ContextExchange, denied

_MAX_TOKEN = 65_536
_MAX_STEPS = 6
_NO_LAYER = b"\x01"
_OFFER = _NO_LAYER + b"\0\0\0"  # RFC 4752 section 3.1: with no layer the size is zero
_UNREADABLE = replace(FAILED, reason="a malformed choice of a layer")


class SaslGssapi:
    def __init__(self, exchange: ContextExchange, kerberos: ByKerberos) -> None:
        self._exchange = exchange
        self._kerberos = kerberos
        self._granted: Granted | None = None
        self._steps = 0
        self._is_offered = False

    async def step(self, response: bytes | None) -> Outcome:
        if response is None:
            return Challenge(b"")
        self._steps += 1
        if self._steps > _MAX_STEPS or len(response) > _MAX_TOKEN:
            return replace(FAILED, reason="too many steps, or one too long")
        if self._granted is None:
            outcome = await self._exchange.step(response)
            if not isinstance(outcome, Granted):
                return outcome
            self._granted = outcome
            if outcome.data:
                return Challenge(outcome.data)
            response = b""  # it was the context's
        try:
            if self._is_offered:
                return self._finish(response, self._granted)
            return _UNREADABLE if response else self._offer()
        except SecurityFailure as failure:
            return denied(failure)

    def _offer(self) -> Challenge:
        self._is_offered = True
        return Challenge(self._kerberos.context.wrap(_OFFER))

    def _finish(self, response: bytes, granted: Granted) -> Granted | Denied:
        """Reads the client's choice of layer and the name that it wants: RFC 4752 section 3.2. Raises SecurityFailure."""
        choice = self._kerberos.context.unwrap(response)
        try:
            authzid = choice[4:].decode().lower()
        except UnicodeDecodeError:
            return _UNREADABLE
        if len(choice) < 4 or choice[:1] != _NO_LAYER:
            return _UNREADABLE
        if authzid not in ("", granted.identity.name.lower(), *self._kerberos.names()):
            return replace(FAILED, account=granted.identity.name, reason=FOR_ANOTHER)
        return Granted(replace(granted.identity, ends=self._kerberos.context.end()))
