"""SASL's server side (RFC 4422): one exchange by one mechanism, from octets to an outcome. The protocol frames the octets.

Here PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), EXTERNAL (RFC 4422 appendix A) and NTLM (MS-SMTPNTLM 3.2);
`scram` and `gssapi` have the others.
"""

from __future__ import annotations

from postern.model.directory import Account, DirectoryUnavailable, NtlmLogon
from postern.model.security import Channel, Identity, Mechanism, Peer
from postern.trust.acceptor import FAILED, MALFORMED, TOO_MANY, UNAVAILABLE, Challenge, Granted, Outcome
from postern.trust.ntlm.fields import NtlmError
from postern.trust.ntlm.handshake import NtlmAcceptor, Proof, account_name, channel_binding_hash
from postern.trust.passwords.backoff import Guess, network
from postern.trust.passwords.judge import Judge, about
from postern.trust.passwords.pool import Overloaded

MAX_RESPONSE = 65_536
"""Octets of one response; Kerberos tickets with large authorization data come near 48 KB."""


class Plain:
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
            return FAILED
        return outcome


class Login:
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


class External:
    """EXTERNAL (RFC 4422 appendix A): the certificate proved `identity` in the TLS handshake; what the client asks to be must be
    that."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def step(self, response: bytes | None) -> Outcome:
        if response is None:
            return Challenge(b"")
        name = _text(response)
        if response and not name:
            return MALFORMED
        return Granted(self._identity) if name.lower() in ("", self._identity.name.lower()) else FAILED


class Ntlm:
    """The NTLM messages as they are, one a response."""

    def __init__(self, judge: Judge, peer: Peer, server_name: str, domain: str, netbios: str, channel: Channel) -> None:
        self._judge = judge
        self._peer = peer
        self._acceptor = NtlmAcceptor(
            *(server_name, domain, self._prove),
            channel_binding=channel_binding_hash(channel.binding) if channel.binding else None,
            netbios=netbios,
            names=channel.names,
            address=network(peer.host),
        )
        self._steps = 0
        self._account: Account | None = None
        self._guess: Guess | None = None

    async def step(self, response: bytes | None) -> Outcome:
        if response is None:
            return Challenge(b"")
        self._steps += 1
        try:
            if self._steps == 1:
                return Challenge(self._acceptor.negotiate(response))
            result = await self._acceptor.authenticate(response) if self._steps == 2 else None
        except NtlmError:
            self._settle(False)
            return MALFORMED
        except DirectoryUnavailable:
            return UNAVAILABLE
        except Overloaded:
            return TOO_MANY
        if self._guess is None:
            return TOO_MANY
        self._settle(result is not None)
        if result is None or self._account is None:
            return about(FAILED, self._account)
        return Granted(await self._judge.membership.identity(self._account, Mechanism.NTLM, result.groups))

    def _settle(self, right: bool) -> None:
        if self._guess is not None:
            self._judge.settle(self._guess, right)

    async def _prove(self, logon: NtlmLogon) -> Proof | None:
        """The bounds on guessing stand before whoever judges."""
        name = account_name(logon)
        account = await self._judge.directory.account(name)
        self._guess = await self._judge.enter(name, account, self._peer)
        if self._guess is None:
            return None
        try:
            proof = await self._judge.proofs.ntlm(account, logon)
        except BaseException:
            self._guess.undecided()
            raise
        self._account = account
        return proof


def _text(response: bytes) -> str:
    """ "" for what is too long or not UTF-8: every mechanism here refuses an empty name or password."""
    try:
        return response.decode() if len(response) <= MAX_RESPONSE else ""
    except UnicodeDecodeError:
        return ""
