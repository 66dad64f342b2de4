"""Decides who the caller of a request is and which row it is on, for the requests of one connection."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest
from http import HTTPStatus

from postern.model.security import NOBODY, Identity, Mechanism, PrincipalKind
from postern.net.link import Link
from postern.paths.guard import NOT_ENCRYPTED, Guard, Reason, Refusal
from postern.paths.row import Path
from postern.protocols.http.events import Field, RequestHead
from postern.services.conversation import asking
from postern.services.http.access import HttpAccess
from postern.services.http.answers import Answer
from postern.services.http.site import Caller, Route
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.trust.acceptor import Denied, failed, refused
from postern.trust.framing.http import Authorized, HttpAuthentication, Unauthorized

MAX_FAILURES = 5
"""Failed log-ins of one connection; then it ends."""
MAX_CREDENTIALS = 8
"""Different credentials by Basic that one connection may show; then it ends. Clients show one."""
ANOTHER_SITE = "another-site"
_KEY = os.urandom(32)
"""The key of this process for digests of credentials. They are compared, and tell nothing without it."""
_UNDECIDED = Answer(HTTPStatus.SERVICE_UNAVAILABLE, [(b"retry-after", b"5")])
_NOTHING_ENABLED = Answer(
    HTTPStatus.FORBIDDEN,
    text="Forbidden: no way to log on is enabled here. An administrator sees more by `postern verify`.",
)
"""The answer on a route whose rows list NTLM and Kerberos alone, where neither is set up."""
_NAMES = {Mechanism.KERBEROS: (Mechanism.KERBEROS, Mechanism.NEGOTIATE)}


class Admission:
    """The proofs that one connection has given. NTLM and Negotiate prove the connection. Basic stands in each request, and is
    verified once: a digest of the credentials is remembered for as long as the connection lasts. The certificate that the client
    showed counts for requests without credentials, on rows that list it. `watch` is told of each identity, so that the account's
    end ends the connection; `forget` ends all watches before the connection is proven anew."""

    def __init__(
        self, access: HttpAccess, link: Link, watch: Callable[[Identity], None], forget: Callable[[], None]
    ) -> None:
        self._access = access
        self._link = link
        self._watch = watch
        self._forget = forget
        self._asking = asking(link)
        self._http = HttpAuthentication(access.authenticator, access.realm, access.digest)
        self._credentials: dict[bytes, Identity] = {}
        self._proven: Identity | None = None
        self._certificate = link.client_certificate() if access.owners is not None else b""
        """The certificate whose owner is not known yet."""
        self._certified: Identity | None = None
        self._seen: set[tuple[str, Mechanism, str]] = set()
        self._failures = 0
        self.ends = False
        """Whether the connection has had chances enough."""

    async def admit(self, head: RequestHead, route: Route) -> tuple[Caller, list[Field]] | Answer:
        """Returns the caller, with the fields by which the server proves itself in the answer; or the answer that refuses."""
        guard, seal = route.guard, self._link.seal
        authorization = head.field(b"authorization")
        digest = self._digest(authorization, guard)
        identity = self._remembered(digest) if digest else None
        if identity is not None:
            return self._on_row(identity, guard, [])
        if authorization is None and self._proven is None:
            certified = await self._by_certificate(guard)
            if certified is not None:
                return certified if isinstance(certified, Answer) else self._on_row(certified, guard, [])
        if authorization is None or not guard.offer(seal, can_upgrade=False).mechanisms:
            row = guard.row_for(NOBODY, seal)
            if not isinstance(row, Refusal):
                return self._caller(NOBODY, row), []
        outcome = await self._http.authorize(authorization, guard, self._asking, head.method, head.target)
        if isinstance(outcome, Unauthorized):
            return self._unauthorized(outcome)
        if outcome.identity.mechanism is Mechanism.BASIC:
            self._remember(digest, outcome.identity)
        elif outcome.identity is not self._proven:
            self._prove(outcome)
        return self._on_row(outcome.identity, guard, _fields([outcome.challenge] if outcome.challenge else []))

    async def _by_certificate(self, guard: Guard) -> Identity | Answer | None:
        """Returns the owner of the client's certificate; None if it showed none that counts on this route."""
        owners, link = self._access.owners, self._link
        if guard.check_mechanism(Mechanism.CERTIFICATE, link.seal) is not None:
            return None
        if self._certificate and owners is not None:
            outcome = await owners.identify(self._certificate)
            if isinstance(outcome, Denied):
                failed(guard.door, link.peer, Mechanism.CERTIFICATE, outcome)
                if outcome.temporary:
                    return _UNDECIDED
                self._certificate = b""  # it stays what it is: another one needs another connection
                return None
            self._certificate, self._certified = b"", outcome.identity
            self._watch(outcome.identity)
        return self._certified

    def _digest(self, authorization: bytes | None, guard: Guard) -> bytes:
        """Returns the digest of a field with Basic credentials; b"" for any other, and where the route does not offer Basic."""
        if authorization is None or authorization[:6].lower() != b"basic ":
            return b""
        if guard.check_mechanism(Mechanism.BASIC, self._link.seal) is not None:
            return b""
        return blake2b(authorization, key=_KEY, digest_size=32).digest()

    def _remembered(self, digest: bytes) -> Identity | None:
        known: Identity | None = None
        for other, identity in self._credentials.items():
            if compare_digest(other, digest):
                known = identity
        return known

    def _remember(self, digest: bytes, identity: Identity) -> None:
        if self._proven is not None:
            self._forget()
            self._proven = None
        self._credentials[digest] = identity
        self.ends = self.ends or len(self._credentials) >= MAX_CREDENTIALS
        self._watch(identity)

    def _prove(self, outcome: Authorized) -> None:
        """The connection has a new caller, whoever came before."""
        self._forget()
        self._credentials.clear()
        self._certificate, self._certified = b"", None
        self._proven = outcome.identity
        self._watch(outcome.identity)

    def _on_row(self, identity: Identity, guard: Guard, fields: list[Field]) -> tuple[Caller, list[Field]] | Answer:
        row = guard.row_for(identity, self._link.seal)
        if not isinstance(row, Refusal):
            return self._caller(identity, row), fields
        refused(guard.door, row)
        self._tell(guard, row.reason, identity.name)
        if row.reason is Reason.AUTHENTICATION_REQUIRED and not _is_listed(identity.mechanism, guard):
            # The route wants another proof than the one that the connection has.
            return Answer(HTTPStatus.UNAUTHORIZED, _fields(self._http.challenges(guard, self._asking)))
        return Answer(HTTPStatus.FORBIDDEN)

    def _caller(self, identity: Identity, row: Path) -> Caller:
        link, mechanism = self._link, identity.mechanism
        key = (row.id, mechanism, identity.name)
        if key not in self._seen:
            self._seen.add(key)
            self._access.observed.seen(row.id, link.peer.host, mechanism.value, link.seal, time.time())
            if identity.kind is not PrincipalKind.ANONYMOUS:
                cipher = link.seal.cipher if link.seal else ""
                log(
                    Event.AUTHENTICATED,
                    path=row.id,
                    peer=str(link.peer),
                    name=identity.name,
                    mechanism=mechanism.value,
                    cipher=cipher,
                )
        return Caller(identity, row, link.peer, link.seal)

    def _unauthorized(self, outcome: Unauthorized) -> Answer:
        if outcome.failure is not None:
            self._failures += outcome.status != HTTPStatus.SERVICE_UNAVAILABLE
            self.ends = self.ends or self._failures >= MAX_FAILURES
        status = HTTPStatus(outcome.status)
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            return _UNDECIDED
        if status is HTTPStatus.FORBIDDEN:
            return _NOTHING_ENABLED
        return Answer(status, _fields(outcome.challenges) if status is HTTPStatus.UNAUTHORIZED else ())

    def refuse_clear(self, guard: Guard) -> Answer:
        """Refuses a request in clear text on a route that wants encryption. It is never asked for credentials."""
        refused(guard.door, NOT_ENCRYPTED)
        self._tell(guard, NOT_ENCRYPTED.reason, "")
        return Answer(HTTPStatus.FORBIDDEN)

    def refuse_site(self, guard: Guard) -> Answer:
        """Refuses what a page of another site asks a browser to send."""
        count(Metric.REFUSALS, guard.door, ANOTHER_SITE)
        self._tell(guard, ANOTHER_SITE, "")
        return Answer(HTTPStatus.FORBIDDEN)

    def _tell(self, guard: Guard, reason: str, name: str) -> None:
        log(Event.REFUSED, path=guard.door, peer=str(self._link.peer), reason=str(reason), name=name)


def passes_clear(guard: Guard) -> bool:
    """Whether a row of the route lets anybody in, or lets somebody prove himself, without encryption."""
    return not isinstance(guard.row_for(NOBODY, None), Refusal) or bool(guard.offer(None, can_upgrade=False).mechanisms)


def _is_listed(mechanism: Mechanism, guard: Guard) -> bool:
    names = _NAMES.get(mechanism, (mechanism,))
    return any(name in row.supported_auth for row in guard.rows for name in names)


def _fields(values: list[str] | tuple[str, ...]) -> list[Field]:
    return [(b"www-authenticate", value.encode()) for value in values]
