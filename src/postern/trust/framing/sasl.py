"""SASL (RFC 4422) as SMTP, IMAP and POP3 carry it: names of mechanisms, base64, cancelling, and one AUTH exchange for all three.

None of the three can carry data with its success reply. So data that comes with success is sent as one more challenge (section
3.6), which the client answers before it is told of its success.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from postern.model.security import Mechanism, PrincipalKind, Seal
from postern.paths.guard import NOT_ENCRYPTED, NOT_LISTED, Guard, Reason, Refusal, is_tls
from postern.trust.acceptor import Acceptor, Asking, Cause, Challenge, Denied, Failure, Granted, failed, refused
from postern.trust.authenticator import Authenticator
from postern.trust.exchanges import ContextExchange
from postern.trust.sasl.gssapi import SaslGssapi
from postern.trust.sasl.mechanisms import SaslExternal, SaslLogin, SaslPlain
from postern.trust.sasl.scram import SaslScram

NAMES: dict[Mechanism, tuple[str, ...]] = {
    Mechanism.KERBEROS: ("GSSAPI",),
    Mechanism.SCRAM: ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
    Mechanism.NTLM: ("NTLM",),
    Mechanism.BASIC: ("PLAIN", "LOGIN"),
    Mechanism.CERTIFICATE: ("EXTERNAL",),
    Mechanism.DIRECT_TRUST: ("EXTERNAL",),
}
"""Names in IANA's registry, the best of each mechanism first. Only HTTP and RPC have Negotiate."""
BINDING = frozenset({"SCRAM-SHA-256-PLUS"})
"""Names of mechanisms that bind the proof to the TLS channel (RFC 5802 section 6), and so need one."""


def names(mechanisms: Iterable[Mechanism], binds: bool = False) -> tuple[str, ...]:
    """Returns the names to show for `mechanisms`, in their order. `binds`: the connection's TLS gives a channel binding."""
    named = (name for mechanism in mechanisms for name in NAMES.get(mechanism, ()))
    return tuple(dict.fromkeys(name for name in named if binds or name not in BINDING))


def allowed(guard: Guard, name: str, seal: Seal | None) -> Mechanism | Refusal:
    """Returns the mechanism with this SASL name (any case) that the guard allows on a connection sealed by `seal`, else a
    Refusal."""
    best = NOT_LISTED
    for mechanism, named in NAMES.items():
        if name.upper() not in named:
            continue
        refusal = guard.check_mechanism(mechanism, seal)
        if refusal is None and name.upper() in BINDING and not is_tls(seal):
            refusal = NOT_ENCRYPTED
        if refusal is None:
            return mechanism
        if refusal.reason is Reason.ENCRYPTION_REQUIRED:
            best = refusal
    return best


def begin(authenticator: Authenticator, name: str, asking: Asking) -> Acceptor | None:
    """Begins an exchange by the mechanism with this SASL name (any case); returns None if it cannot be done here and now. Refuses
    a password in the clear itself, whatever the guard said."""
    available = authenticator.available
    # Only users prove themselves by passwords and SCRAM.
    of_users = PrincipalKind.USER in asking.callers
    has_scram = of_users and Mechanism.SCRAM in available
    match name.upper():
        case "PLAIN" if of_users and asking.seal is not None:
            return SaslPlain(authenticator, asking.peer)
        case "LOGIN" if of_users and asking.seal is not None:
            return SaslLogin(authenticator, asking.peer)
        case "SCRAM-SHA-256" if has_scram:
            return SaslScram(authenticator, asking.peer, asking.channel)
        case "SCRAM-SHA-256-PLUS" if has_scram and asking.channel.binding:
            return SaslScram(authenticator, asking.peer, asking.channel, plus=True)
        case "NTLM" if Mechanism.NTLM in available:
            return authenticator.begin(Mechanism.NTLM, asking)
        case "GSSAPI" if (
            Mechanism.KERBEROS in available and (kerberos := authenticator.by_kerberos(asking)) is not None
        ):
            return SaslGssapi(ContextExchange(authenticator, asking, kerberos), kerberos)
    return None


AuthTurn = Challenge | Granted | Failure


class AuthExchange:
    """The AUTH exchanges of one connection, one at a time. Each turn returns a challenge, a success or a failure, for the
    protocol to write. A failure ends the exchange. A success has no data left, and no row has been asked yet whether it admits
    the caller.

    With `encoded` responses are lines in base64, as IMAP and POP3 have them; SMTP's machine decodes them itself.

    Bound: linear in the line; the protocol's machine bounds its length.
    """

    def __init__(self, guard: Guard, authenticator: Authenticator | None, encoded: bool = False) -> None:
        self._guard = guard
        self._authenticator = authenticator
        self._encoded = encoded
        self._acceptor: Acceptor | None = None
        self._granted: Granted | None = None
        self._asking: Asking
        self._mechanism: Mechanism

    async def begin(self, name: str, initial: bytes | None, asking: Asking) -> AuthTurn:
        """Begins an exchange by the mechanism with this name (any case). `initial` is None where the client sent no initial
        response."""
        self.cancel()
        self._asking = asking
        if asking.certified is not None and name.upper() == "EXTERNAL":
            self._acceptor, self._mechanism = SaslExternal(asking.certified), asking.certified.mechanism
        else:
            mechanism = allowed(self._guard, name, asking.seal)
            if isinstance(mechanism, Refusal):
                return refused(self._guard.door, mechanism)
            self._mechanism = mechanism
            if self._authenticator is not None:
                self._acceptor = begin(self._authenticator, name, asking)
        if self._acceptor is None:
            return Failure(Cause.UNSUPPORTED, NOT_LISTED.text)
        return await self.respond(initial)

    def cancel(self) -> None:
        self._acceptor = self._granted = None

    async def respond(self, response: bytes | None) -> AuthTurn:
        """Takes the client's response. Where it is in base64, `*` cancels (RFC 9051 section 6.2.2, RFC 5034 section 4)."""
        assert self._acceptor is not None, "no exchange is under way"
        if self._encoded and response:
            if response == b"*":
                return self._cancelled("Authentication cancelled")
            try:
                response = binascii.a2b_base64(response, strict_mode=True)
            except binascii.Error:
                return self._cancelled("Not valid base64")
        granted = self._granted
        if granted is None:
            outcome = await self._acceptor.step(response)
            if isinstance(outcome, Challenge):
                return outcome
            if isinstance(outcome, Denied):
                self.cancel()
                return failed(self._guard.door, self._asking.peer, self._mechanism, outcome)
            if outcome.data:
                self._granted = outcome
                return Challenge(outcome.data)
            granted = outcome
        self.cancel()
        return Granted(granted.identity)

    def _cancelled(self, text: str) -> Failure:
        self.cancel()
        return Failure(Cause.CANCELLED, text)


def encoded(challenge: Challenge) -> bytes:
    """Encodes a challenge as IMAP and POP3 write it."""
    return binascii.b2a_base64(challenge.data, newline=False)
