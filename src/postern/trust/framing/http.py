"""HTTP authentication (RFC 9110 section 11) by Negotiate (RFC 4559, MS-N2HT), NTLM (MS-NTHT), Basic (RFC 7617) and Digest (RFC
7616, in `digest`).

NTLM and Negotiate prove the connection: afterwards the same caller makes the requests that have no credentials of their own. So
this is for HTTP/1.1 on a connection that one client has to itself, and never behind a proxy that shares connections. It does no
I/O: header fields go in and come out. The route's guard says what is offered, and the service asks it which row the caller is on.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.paths.guard import Guard, Reason, Refusal
from postern.trust.acceptor import MALFORMED, Asking, Cause, Challenge, Denied, Failure, failed, refused
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityFailure
from postern.trust.exchanges import ContextExchange, denied
from postern.trust.framing.digest import DigestAuthentication, DigestKeeping, Stale
from postern.trust.gss_token import KERBEROS, unframed

SCHEMES: dict[Mechanism, str] = {
    Mechanism.NEGOTIATE: "Negotiate",
    Mechanism.KERBEROS: "Negotiate",
    Mechanism.NTLM: "NTLM",
    Mechanism.BASIC: "Basic",
    Mechanism.DIGEST: "Digest",
}
MAX_AUTHORIZATION = 98_304
"""Octets of the longest field. Kerberos tickets with large authorization data come near 64 KB in base64."""
_SERVICES = frozenset({"host", "http"})
_NTLM = b"NTLMSSP\0"


@dataclass(frozen=True, slots=True)
class AuthorizationField:
    """The content of an Authorization field: its scheme in small letters, and the octets of its base64."""

    scheme: str
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorized:
    """The request comes from a caller with this identity. `challenge` is the WWW-Authenticate field that the answer must have, by
    which the server proves itself too; "" for none."""

    identity: Identity
    challenge: str = ""


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The request has no proven caller. `challenges` are the WWW-Authenticate fields of the answer. `failure` is None where
    nothing failed: no credentials were shown yet, or an exchange goes on."""

    challenges: tuple[str, ...]
    failure: Failure | None = None

    @property
    def status(self) -> int:
        """The status of the answer: 503 where nothing was decided, 403 where no credentials would do on this connection, else
        401."""
        if self.failure is not None and self.failure.cause is Cause.UNAVAILABLE:
            return 503
        return 401 if self.challenges else 403


def challenges(mechanisms: Iterable[Mechanism], realm: str, digest: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns a WWW-Authenticate field for each scheme of these mechanisms, in their order, but Negotiate before NTLM: clients
    take the first that they know, and Kerberos is only in Negotiate. People see `realm` beside Basic. `digest` are the fields of
    Digest."""
    schemes = list(dict.fromkeys(SCHEMES[mechanism] for mechanism in mechanisms if mechanism in SCHEMES))
    if "NTLM" in schemes and "Negotiate" in schemes[schemes.index("NTLM") :]:
        schemes.remove("Negotiate")
        schemes.insert(schemes.index("NTLM"), "Negotiate")
    shown = "".join(f"\\{letter}" if letter in '"\\' else letter for letter in realm if letter.isprintable())
    fields = {"Basic": (f'Basic realm="{shown}", charset="UTF-8"',), "Digest": tuple(digest)}
    return tuple(value for scheme in schemes for value in fields.get(scheme, (scheme,)))


def parse_authorization(value: bytes) -> AuthorizationField | None:
    """Reads an Authorization field with one token68 (RFC 9110 section 11.4). Returns None for any other.

    Bound: linear; at most 98,304 octets.
    """
    if len(value) > MAX_AUTHORIZATION:
        return None
    scheme, _, encoded = value.strip(b" \t").partition(b" ")
    if not scheme.isalnum():
        return None
    try:
        token = binascii.a2b_base64(encoded.lstrip(b" "), strict_mode=True)
    except binascii.Error:
        return None
    return AuthorizationField(scheme.decode().lower(), token) if token else None


def password_of(token: bytes) -> tuple[str, str] | None:
    """Reads the name and the password of Basic credentials in UTF-8 (RFC 7617 section 2.1). Returns None if they are none.

    Bound: linear in the token.
    """
    try:
        name, colon, password = token.decode().partition(":")
    except UnicodeDecodeError:
        return None
    # RFC 7617 section 2: neither may contain control characters.
    if not colon or not name or any(letter < " " or letter == "\x7f" for letter in name + password):
        return None
    return name, password


class HttpAuthentication:
    """The authentication of one connection of HTTP/1.1. People see `realm` beside Basic; Digest has the realm of its hashes.
    Without `digest` there is no Digest.

    Bound: linear in the field.
    """

    def __init__(self, authenticator: Authenticator, realm: str, digest: DigestKeeping | None = None) -> None:
        self._authenticator = authenticator
        self._realm = realm
        self._digest = DigestAuthentication(authenticator, digest) if digest is not None else None
        self._exchange: ContextExchange | None = None
        self._scheme = ""
        self._proven: Identity | None = None

    async def authorize(
        self, authorization: bytes | None, guard: Guard, asking: Asking, method: str = "", target: bytes = b""
    ) -> Authorized | Unauthorized:
        """Judges a request by its Authorization field, None where it has none. Credentials in the request end the connection's
        former proof. No mechanism is begun that `guard`, the guard of the route, does not offer. Digest proves the request's
        `method` and `target`, too."""
        if authorization is None:
            self._exchange = None
            return Authorized(self._proven) if self._proven is not None else self._unauthorized(guard, asking)
        self._proven = None
        if self._digest is not None and authorization[:7].lower() == b"digest ":
            return await self._by_digest(self._digest, authorization, guard, asking, method, target)
        credentials = parse_authorization(authorization)
        if credentials is None:
            self._exchange = None
            return self._unauthorized(guard, asking, Failure(Cause.UNSUPPORTED, MALFORMED.text))
        mechanism = _mechanism(credentials, guard, asking)
        if isinstance(mechanism, Refusal):
            self._exchange = None
            return self._unauthorized(guard, asking, refused(guard.door, mechanism))
        if mechanism is Mechanism.BASIC:
            return await self._basic(credentials.token, guard, asking)
        return await self._step(credentials, mechanism, guard, asking)

    async def _basic(self, token: bytes, guard: Guard, asking: Asking) -> Authorized | Unauthorized:
        self._exchange = None
        shown = password_of(token) if PrincipalKind.USER in asking.callers else None
        outcome = MALFORMED if shown is None else await self._authenticator.password(*shown, asking.peer)
        if isinstance(outcome, Denied):
            return self._denied(outcome, Mechanism.BASIC, guard, asking)
        return Authorized(outcome.identity)

    async def _by_digest(
        self, digest: DigestAuthentication, value: bytes, guard: Guard, asking: Asking, method: str, target: bytes
    ) -> Authorized | Unauthorized:
        self._exchange = None
        refusal = guard.check_mechanism(Mechanism.DIGEST, asking.seal)
        if refusal is not None:
            return self._unauthorized(guard, asking, refused(guard.door, refusal))
        outcome = await digest.judge(value, method, target, asking)
        if isinstance(outcome, Stale):
            return Unauthorized(self.challenges(guard, asking, is_stale=True))
        if isinstance(outcome, Denied):
            return self._denied(outcome, Mechanism.DIGEST, guard, asking)
        return Authorized(outcome.identity)

    async def _step(
        self, credentials: AuthorizationField, mechanism: Mechanism, guard: Guard, asking: Asking
    ) -> Authorized | Unauthorized:
        if _is_first(credentials.token):
            asking = replace(asking, services=_SERVICES, negotiable=_negotiable(guard, asking))
            self._exchange, self._scheme = self._authenticator.begin(mechanism, asking), credentials.scheme
        exchange = self._exchange
        if exchange is None or self._scheme != credentials.scheme:
            return self._denied(MALFORMED, mechanism, guard, asking)
        outcome = await exchange.step(credentials.token)
        scheme = SCHEMES[Mechanism.NTLM if credentials.scheme == "ntlm" else Mechanism.NEGOTIATE]
        if isinstance(outcome, Challenge):
            return Unauthorized((_with_token(scheme, outcome.data),))
        if isinstance(outcome, Denied):
            return self._denied(outcome, mechanism, guard, asking)
        try:
            ends = exchange.context.end()
        except SecurityFailure as failure:
            return self._denied(denied(failure), mechanism, guard, asking)
        self._exchange = None
        self._proven = replace(outcome.identity, ends=ends)
        return Authorized(self._proven, _with_token(scheme, outcome.data) if outcome.data else "")

    def challenges(self, guard: Guard, asking: Asking, is_stale: bool = False) -> tuple[str, ...]:
        """Returns the WWW-Authenticate fields that this connection is shown on a route."""
        mechanisms = guard.offer(asking.seal, can_upgrade=False).mechanisms
        has_digest = self._digest is not None and Mechanism.DIGEST in mechanisms
        digest = self._digest.challenges(asking.peer, is_stale) if self._digest is not None and has_digest else ()
        return challenges(mechanisms, self._realm, digest)

    def _denied(self, denied: Denied, mechanism: Mechanism, guard: Guard, asking: Asking) -> Unauthorized:
        self._exchange = None
        return self._unauthorized(guard, asking, failed(guard.door, asking.peer, mechanism, denied))

    def _unauthorized(self, guard: Guard, asking: Asking, failure: Failure | None = None) -> Unauthorized:
        return Unauthorized(self.challenges(guard, asking), failure)


def _mechanism(credentials: AuthorizationField, guard: Guard, asking: Asking) -> Mechanism | Refusal:
    """Returns the mechanism of these credentials, if the guard allows it here. Negotiate may hold a bare token of NTLM or
    Kerberos, as clients send it that have only one of them."""
    token = credentials.token
    if credentials.scheme == "basic":
        mechanism = Mechanism.BASIC
    elif credentials.scheme == "ntlm" or (credentials.scheme == "negotiate" and token.startswith(_NTLM)):
        mechanism = Mechanism.NTLM
    elif credentials.scheme == "negotiate":
        framed = unframed(token)
        is_bare = framed is not None and framed[0] == KERBEROS
        mechanism = Mechanism.KERBEROS if is_bare else Mechanism.NEGOTIATE
    else:
        return Refusal(Reason.MECHANISM_NOT_LISTED, "Authentication scheme is not supported here")
    refusal = guard.check_mechanism(mechanism, asking.seal)
    if refusal is not None and mechanism in (Mechanism.KERBEROS, Mechanism.NEGOTIATE):
        # A row lists either: Negotiate where clients choose by it, Kerberos where there is no choice.
        other = Mechanism.NEGOTIATE if mechanism is Mechanism.KERBEROS else Mechanism.KERBEROS
        refusal = guard.check_mechanism(other, asking.seal)
    return refusal or mechanism


def _negotiable(guard: Guard, asking: Asking) -> frozenset[Mechanism]:
    """Returns the mechanisms that Negotiate may choose: Kerberos, and NTLM where a row lists it too."""
    ntlm = guard.check_mechanism(Mechanism.NTLM, asking.seal) is None
    return frozenset({Mechanism.KERBEROS, Mechanism.NTLM} if ntlm else {Mechanism.KERBEROS})


def _is_first(token: bytes) -> bool:
    """Whether a token begins an exchange: NTLM's NEGOTIATE_MESSAGE, or a GSS token with the mechanism's name."""
    return token.startswith((_NTLM + b"\x01", b"\x60"))


def _with_token(scheme: str, token: bytes) -> str:
    return f"{scheme} {binascii.b2a_base64(token, newline=False).decode()}"
