"""Connections to an edge's own directory. A hub connects to the one certificate that was published (direct trust). The edge's own
processes authenticate by the kernel's word over the unix socket, or by NTLM on 50389. The certificate is compared before the
password is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import ldap
import ldap.sasl
from ldap.ldapobject import SimpleLDAPObject

from postern.directory.adam.layout import SERVICE
from postern.directory.ldap.client import Attributes, Change, Client, seal_of
from postern.directory.ldap.connection import Connection, describe
from postern.model.directory import DirectoryUnavailable
from postern.model.security import Encryption, Mechanism
from postern.paths.row import Path
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed

_NOBODY_YET = (ldap.STRONG_AUTH_REQUIRED, ldap.UNWILLING_TO_PERFORM, ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT)
"""The results with which a server refuses a request before anybody has authenticated."""


class WrongCertificate(DirectoryUnavailable):
    """The server that answered shows another certificate than the directory has for this edge."""


class BindRefused(DirectoryUnavailable):
    """The account is unknown, not yet valid or no longer valid, or its password is another (RFC 4511 invalidCredentials)."""


@dataclass(frozen=True, slots=True)
class Add:
    dn: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Modify:
    dn: str
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Delete:
    dn: str


Write = Add | Modify | Delete
Bind = Callable[[SimpleLDAPObject], None]


class AdamClient(Client):
    """A Client that binds by `bind`, and that writes many entries at a time. `certificate` gives the only one (DER) that is
    accepted in TLS now; without it there is no TLS, so the URI must be local."""

    def __init__(
        self,
        row: Path,
        uri: str,
        bind: Bind,
        mechanism: Mechanism,
        certificate: Callable[[], bytes] = bytes,
        timeout: float = 5.0,
        observed: Observed | None = None,
    ) -> None:
        super().__init__(row, uri, "", "", timeout, observed)
        self._bind = bind
        self._mechanism = mechanism
        self._certificate = certificate

    async def write_all(self, writes: Sequence[Write]) -> None:
        """Makes all writes, in no order, as many at a time as a connection carries. All are tried; then the first error is
        raised, as `add`, `modify` and `delete` raise it.

        An LDAP transaction (RFC 5805) would be ten times faster, but slapd 2.5.13 crashes under them."""
        done = await asyncio.gather(*(self._write_one(write) for write in writes), return_exceptions=True)
        for error in done:
            if error is not None:
                raise error

    async def _write_one(self, write: Write) -> None:
        if isinstance(write, Add):
            await self.add(write.dn, write.attributes)
        elif isinstance(write, Modify):
            await self.modify(write.dn, write.changes)
        else:
            await self.delete(write.dn)

    async def _open(self) -> Connection:
        try:
            handle = await asyncio.to_thread(self._dial)
        except ldap.INVALID_CREDENTIALS as error:
            if self._mechanism is not Mechanism.BASIC:  # with Basic, EdgeSync has other accounts to try, and logs it
                log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, error=describe(error))
            raise BindRefused(self.row.id) from None
        except ldap.LDAPError as error:
            log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, error=describe(error))
            raise DirectoryUnavailable(self.row.id) from None
        except WrongCertificate:
            log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, error="another certificate than the published one")
            raise
        self._connection = Connection(handle, self.row.id, self._timeout)
        if self._observed is not None:
            seal = seal_of(handle)
            local = seal is not None and seal.protocol == "local"
            peer = "local" if local else urlsplit(self._uri).hostname or ""
            self._observed.seen(self.row.id, peer, self._mechanism, seal, time.time())
        return self._connection

    def _dial(self) -> SimpleLDAPObject:
        """Connects and binds. Blocking. On an ldaps: connection the first request opens the connection. It asks for nothing and
        is refused, for nobody has authenticated yet; only then is there a certificate to look at."""
        handle = SimpleLDAPObject(self._uri)
        handle.protocol_version = ldap.VERSION3
        handle.set_option(ldap.OPT_NETWORK_TIMEOUT, self._timeout)
        handle.set_option(ldap.OPT_TIMEOUT, self._timeout)
        handle.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
        try:
            if not self._uri.startswith("ldapi:"):
                # Direct trust: neither authority nor name counts, only presence in the directory (`_look_at`).
                handle.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
                handle.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
                handle.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
            if self._uri.startswith("ldaps:"):
                with contextlib.suppress(*_NOBODY_YET):
                    handle.search_ext_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"])
                self._look_at(handle)
            elif self._uri.startswith("ldap:") and self.row.encryption is Encryption.REQUIRED:
                handle.start_tls_s()
                self._look_at(handle)
            self._bind(handle)
        except BaseException:
            with contextlib.suppress(ldap.LDAPError):
                handle.unbind_ext()
            raise
        return handle

    def _look_at(self, handle: SimpleLDAPObject) -> None:
        shown = handle.get_option(ldap.OPT_X_TLS_PEERCERT) or b""
        certificate = self._certificate()
        if not certificate or not hmac.compare_digest(bytes(shown), certificate):
            raise WrongCertificate(self.row.id)


def simple(dn: str, password: str) -> Bind:
    """Returns a simple bind (Basic), as the row `edgesync` has it."""

    def bind(handle: SimpleLDAPObject) -> None:
        handle.simple_bind_s(dn, password)

    return bind


def by_ntlm(name: str, password: str) -> Bind:
    """Returns a bind by SASL's NTLM (MS-NLMP inside RFC 4422): the password does not travel."""
    credentials: Mapping[int, str] = {ldap.sasl.CB_AUTHNAME: name, ldap.sasl.CB_PASS: password}

    def bind(handle: SimpleLDAPObject) -> None:
        handle.sasl_interactive_bind_s("", ldap.sasl.sasl(dict(credentials), "NTLM"))
        _be_known(handle)

    return bind


def by_peer() -> Bind:
    """Returns a bind by SASL EXTERNAL over the unix socket: the kernel says who calls."""

    def bind(handle: SimpleLDAPObject) -> None:
        handle.sasl_external_bind_s()
        _be_known(handle)

    return bind


def _be_known(handle: SimpleLDAPObject) -> None:
    """Raises INVALID_CREDENTIALS unless the bind (RFC 4532) made this process the service account. SASL binds strangers too, and
    they would see an empty directory."""
    if handle.whoami_s().lower() != f"dn:{SERVICE}".lower():
        raise ldap.INVALID_CREDENTIALS({"desc": "the directory does not know this process as the edge's own"})
