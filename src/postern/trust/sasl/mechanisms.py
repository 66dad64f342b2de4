"""SASL mechanisms (RFC 4422), the server's side: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login) and EXTERNAL (RFC 4422
appendix A). `scram` and `gssapi` have two more. NTLM (MS-SMTPNTLM 3.2) needs nothing beyond `trust.exchanges`.
"""

from __future__ import annotations

from postern.model.security import Identity, Peer
from postern.trust.acceptor import FOR_ANOTHER, MALFORMED, Challenge, Denied, Granted, Outcome
from postern.trust.passwords.judge import Judge

MAX_RESPONSE = 65_536
"""Octets of one response. Kerberos tickets with large authorization data come near 48 KB."""


class SaslPlain:
    """PLAIN (RFC 4616): one response with both names and the password.

    Bound: linear; a response has 65,536 octets, a password 1,024 characters at most.
    """

    def __init__(self, judge: Judge, peer: Peer) -> None:
        self._judge = judge
        self._peer = peer

    async def step(self, response: bytes | None) -> Outcome:
        if response is None:
            return Challenge(b"")
        parts = _text(response).split("\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            return MALFORMED
        authzid, name, password = parts
        outcome = await self._judge.password(name, password, self._peer)
        # RFC 4616 section 2: acting for someone else is not supported, naming oneself is.
        if isinstance(outcome, Granted) and authzid.lower() not in ("", name.lower(), outcome.identity.name.lower()):
            return _for_another(outcome.identity.name)
        return outcome


class SaslLogin:
    def __init__(self, judge: Judge, peer: Peer) -> None:
        self._judge = judge
        self._peer = peer
        self._name: str | None = None

    async def step(self, response: bytes | None) -> Outcome:
        if response is None:
            return Challenge(b"Username:")
        if self._name is None:
            self._name = _text(response)
            return Challenge(b"Password:") if self._name else MALFORMED
        return await self._judge.password(self._name, _text(response), self._peer)


class SaslExternal:
    """EXTERNAL (RFC 4422 appendix A): the certificate proved `identity` in the TLS handshake, and the client may ask for no
    other."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def step(self, response: bytes | None) -> Outcome:
        if response is None:
            return Challenge(b"")
        name = _text(response)
        if response and not name:
            return MALFORMED
        own = self._identity.name
        return Granted(self._identity) if name.lower() in ("", own.lower()) else _for_another(own)


def _for_another(account: str) -> Denied:
    return Denied(account=account, reason=FOR_ANOTHER)


def _text(response: bytes) -> str:
    """Decodes a response; "" if it is too long or not UTF-8. Every mechanism here refuses an empty name or password."""
    try:
        return response.decode() if len(response) <= MAX_RESPONSE else ""
    except UnicodeDecodeError:
        return ""
