"""LDAP (RFC 4511): requests to a directory server. python-ldap is imported in `directory`'s ldap modules and nowhere else.

A client is named with its row (`private-directory`). Requests of a process share one connection: each is written at once, and
the event loop reads the answers as they come, so that a look-up costs no thread (`connection`). The client also does the simple
bind, in a thread, for libldap blocks; `ad.client` binds with Kerberos. The adapters know what entries mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import ldap
import ldap.dn
import ldap.filter
from ldap.controls import LDAPControl, RequestControl, SimplePagedResultsControl
from ldap.ldapobject import SimpleLDAPObject

from postern.directory.ldap.connection import AlreadyThere, Connection, NoSuchEntry, Refused, Result, describe
from postern.model.directory import DirectoryUnavailable, IncompleteAnswer
from postern.model.domains import spellings
from postern.model.security import Encryption, Mechanism, Seal
from postern.paths.row import Path
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed

__all__ = ["AlreadyThere", "Client", "NoSuchEntry", "Refused", "answers"]

BASE = ldap.SCOPE_BASE
ONE_LEVEL = ldap.SCOPE_ONELEVEL
SUBTREE = ldap.SCOPE_SUBTREE

ADD = ldap.MOD_ADD
DELETE = ldap.MOD_DELETE
REPLACE = ldap.MOD_REPLACE

_RETRY_AFTER = 0.25
"""Seconds after a failed connection attempt in which requests fail without another attempt."""

Attributes = Mapping[str, Sequence[bytes]]
Change = tuple[int, str, Sequence[bytes] | None]
"""(ADD, DELETE or REPLACE; attribute; values, None for all)."""

escape = ldap.filter.escape_filter_chars
"""Escapes a value inside a filter (RFC 4515 section 3)."""
escape_rdn = ldap.dn.escape_dn_chars
"""Escapes a value inside a distinguished name (RFC 4514 section 2.4)."""


class Entry(NamedTuple):
    dn: str
    attributes: dict[str, list[bytes]]


class Client:
    """A client of one directory server. `uri` may name several servers, separated by blanks, all ldapi:, all ldaps: or all
    ldap: with StartTLS; the first that answers serves.

    Every request raises DirectoryUnavailable when there is no connection or no answer within `timeout` seconds. A
    search that met a dying connection is sent once more; a write is not, for it may have been done.
    """

    def __init__(
        self,
        row: Path,
        uri: str,
        bind_dn: str,
        password: str,
        timeout: float = 5.0,
        observed: Observed | None = None,
    ) -> None:
        self.row = row
        self._uri = uri
        self._bind_dn = bind_dn
        self._password = password
        self._timeout = timeout
        self._observed = observed
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[Connection] | None = None
        self._failed_at = -_RETRY_AFTER

    async def search(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], limit: int = 0
    ) -> list[Entry]:
        """Returns the entries that match, in no order; [] also where `base` is not there. `limit` 0 is no limit."""
        entries, _ = await self.search_with((), base, scope, filter_text, attributes, limit)
        return entries

    async def search_with(
        self,
        controls: Sequence[RequestControl],
        base: str,
        scope: int,
        filter_text: str,
        attributes: Sequence[str],
        limit: int = 0,
    ) -> tuple[list[Entry], Sequence[LDAPControl]]:
        """Searches with request controls, and returns the entries (without references) and the response's controls."""
        try:
            result = await self._searched(base, scope, filter_text, attributes, limit, controls)
        except NoSuchEntry:
            return [], ()
        return [Entry(*row) for row in result.rows if row[0] is not None], result.controls

    async def search_whole(self, base: str, scope: int, filter_text: str, attributes: Sequence[str]) -> list[Entry]:
        """Returns all entries that match. Raises IncompleteAnswer where the server refers to another one that knows more (RFC
        4511 sections 4.5.3 and 4.1.10), meets a limit, or does not know `base`."""
        try:
            result = await self._searched(base, scope, filter_text, attributes)
        except NoSuchEntry:
            raise IncompleteAnswer(f"the directory does not have {base}") from None
        except Refused as error:
            raise IncompleteAnswer(f"the directory answered in part only: {error}") from None
        if any(row[0] is None for row in result.rows):
            raise IncompleteAnswer("the directory answered for a part, and named another server for the rest")
        return [Entry(*row) for row in result.rows]

    async def search_some(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], most: int
    ) -> list[Entry]:
        """Returns entries that match, no more than `most`: the first page (RFC 2696). A size limit would bring an error instead.
        The server drops the page that it prepared when the next search of pages comes on this connection."""
        control = SimplePagedResultsControl(True, most, b"")
        matches, _ = await self.search_with((control,), base, scope, filter_text, attributes)
        return matches[:most]

    async def _searched(
        self,
        base: str,
        scope: int,
        filter_text: str,
        attributes: Sequence[str],
        limit: int = 0,
        controls: Sequence[RequestControl] = (),
    ) -> Result:
        for attempt in (1, 2):
            connection = await self._connected()
            try:
                return await connection.search(base, scope, filter_text, attributes, limit, controls)
            except DirectoryUnavailable:
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    async def pages(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], size: int = 500
    ) -> AsyncGenerator[list[Entry], None]:
        """Yields all that match, page by page (RFC 2696), for Active Directory answers with 1,000 entries at most. Raises
        DirectoryUnavailable or Refused if the server goes away in between, for only that server knows the cookie of a page."""
        cookie = b""
        while True:
            control = SimplePagedResultsControl(True, size, cookie)
            entries, answers = await self.search_with((control,), base, scope, filter_text, attributes)
            yield entries
            cookie = next(
                (bytes(response.cookie) for response in answers if isinstance(response, SimplePagedResultsControl)), b""
            )
            if not cookie:
                return

    async def add(self, dn: str, attributes: Attributes) -> None:
        """Adds an entry. Raises AlreadyThere, NoSuchEntry (no parent), Refused."""
        rows = [(name, list(values)) for name, values in attributes.items() if values]
        await self._write(lambda handle: handle.add_ext(dn, rows))

    async def modify(self, dn: str, changes: Sequence[Change]) -> None:
        """Makes all changes or none. Raises NoSuchEntry, AlreadyThere, Refused."""
        rows = [(kind, name, None if values is None else list(values)) for kind, name, values in changes]
        await self._write(lambda handle: handle.modify_ext(dn, rows))

    async def delete(self, dn: str) -> None:
        await self._write(lambda handle: handle.delete_ext(dn))

    def apart(self) -> Client:
        """Returns another client of the same server. It has a connection of its own, which ends when it is closed."""
        return Client(self.row, self._uri, self._bind_dn, self._password, self._timeout, self._observed)

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(BaseException):
                await self._connecting
        if self._connection is not None:
            self._connection.close()

    async def _write(self, send: Callable[[SimpleLDAPObject], int]) -> Result:
        return await (await self._connected()).request(send)

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connect()
        return connection

    async def _connect(self) -> Connection:
        """Joins the attempt that is under way, or starts one."""
        if self._connecting is None:
            if time.monotonic() - self._failed_at < _RETRY_AFTER:
                raise DirectoryUnavailable(self.row.id)
            self._connecting = asyncio.create_task(self._open())
            self._connecting.add_done_callback(self._attempted)
        return await asyncio.shield(self._connecting)

    def _attempted(self, task: asyncio.Task[Connection]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is not None:
            self._failed_at = time.monotonic()

    async def _open(self) -> Connection:
        """Connects and binds; subclasses differ in where and how. Raises DirectoryUnavailable."""
        try:
            sealed = self.row.encryption is Encryption.REQUIRED
            handle = await asyncio.to_thread(_bind, self._uri, self._bind_dn, self._password, self._timeout, sealed)
        except ldap.LDAPError as error:
            log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, error=describe(error))
            raise DirectoryUnavailable(self.row.id) from None
        self._connection = Connection(handle, self.row.id, self._timeout)
        if self._observed is not None:
            seal, peer = seal_of(handle), urlsplit(self._uri.split()[0]).hostname or ""
            local = seal is not None and seal.protocol == "local"
            self._observed.seen(self.row.id, "local" if local else peer, Mechanism.BASIC, seal, time.time())
        return self._connection


def either(comparison: str, address: str) -> str:
    """Returns the part of a filter that finds an address or a domain in whichever spelling the directory keeps it. `comparison`
    is an attribute's name with `=` and what stands before the address in a value, as in "proxyAddresses=smtp:"."""
    alternatives = "".join(f"({comparison}{escape(spelling)})" for spelling in spellings(address))
    return alternatives if alternatives.count("(") == 1 else f"(|{alternatives})"


def socket_uri(file: str) -> str:
    """Returns the ldapi URL of a unix socket."""
    return "ldapi://" + quote(file, safe="")


def tls_package() -> str:
    """Returns the TLS library that libldap, and with it slapd, was built with: "GnuTLS" or "OpenSSL"."""
    return str(ldap.get_option(ldap.OPT_X_TLS_PACKAGE))


def answers(uri: str, bind_dn: str, password: str) -> None:
    """Binds once, blocking, to check that a server is up and knows us. Raises DirectoryUnavailable if not."""
    try:
        _bind(uri, bind_dn, password, 2.0).unbind_ext()
    except ldap.LDAPError as error:
        raise DirectoryUnavailable(describe(error)) from None


def _bind(uri: str, bind_dn: str, password: str, timeout: float, sealed: bool = True) -> SimpleLDAPObject:
    """Connects and binds. The password goes over a unix socket or, where the row asks for it (`sealed`), only inside TLS 1.2 or
    later."""
    handle = SimpleLDAPObject(uri)
    handle.protocol_version = ldap.VERSION3
    handle.set_option(ldap.OPT_NETWORK_TIMEOUT, timeout)
    handle.set_option(ldap.OPT_TIMEOUT, timeout)
    handle.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
    try:
        if not uri.startswith("ldapi:"):
            handle.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            handle.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
            for option in (ldap.OPT_X_TLS_CACERTFILE, ldap.OPT_X_TLS_CACERTDIR):  # our own context has none
                if authorities := ldap.get_option(option):
                    handle.set_option(option, authorities)
            handle.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if uri.startswith("ldap:") and sealed:
            handle.start_tls_s()  # RFC 4511 section 4.14
        handle.simple_bind_s(bind_dn, password)
    except ldap.LDAPError:
        with contextlib.suppress(ldap.LDAPError):
            handle.unbind_ext()
        raise
    return handle


def seal_of(handle: SimpleLDAPObject) -> Seal | None:
    if str(handle.get_option(ldap.OPT_URI)).startswith("ldapi:"):
        return Seal("local", "unix")
    version, cipher = handle.get_option(ldap.OPT_X_TLS_VERSION), handle.get_option(ldap.OPT_X_TLS_CIPHER)
    return Seal(str(version).replace("TLS1", "TLSv1"), str(cipher)) if version else None
