"""LDAP (RFC 4511): the one module that imports python-ldap, and the only connections to a directory server.

A client is named with its row (`private-directory`). Requests of a process share one connection: each is written at once,
and the event loop reads the answers as they come, so that a look-up costs no thread. Only opening a connection, which
libldap does blocking, happens in a thread. What entries mean is left to the adapters.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import ldap
import ldap.dn
import ldap.filter
from ldap.ldapobject import SimpleLDAPObject

from postern.model.directory import DirectoryUnavailable
from postern.model.security import Encryption, Mechanism, Seal
from postern.paths.row import Path
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed

BASE = ldap.SCOPE_BASE
ONE_LEVEL = ldap.SCOPE_ONELEVEL
SUBTREE = ldap.SCOPE_SUBTREE

ADD = ldap.MOD_ADD
DELETE = ldap.MOD_DELETE
REPLACE = ldap.MOD_REPLACE

_MAX_OUTSTANDING = 64
"""Unanswered requests a connection carries: few enough that writing one never blocks on a full socket."""
_RETRY_AFTER = 0.25
"""Seconds in which a failed connection attempt answers for all who ask."""

Attributes = Mapping[str, Sequence[bytes]]
Change = tuple[int, str, Sequence[bytes] | None]
"""(ADD, DELETE or REPLACE; attribute; values, None for all)."""

escape = ldap.filter.escape_filter_chars
"""RFC 4515 section 3: a value inside a filter."""
escape_rdn = ldap.dn.escape_dn_chars
"""RFC 4514 section 2.4: a value inside a distinguished name."""


class Entry(NamedTuple):
    dn: str
    attributes: dict[str, list[bytes]]


class NoSuchEntry(Exception):
    """RFC 4511 noSuchObject (32), or noSuchAttribute (16): the value to delete is not there."""


class AlreadyThere(Exception):
    """entryAlreadyExists (68), attributeOrValueExists (20), or a value that another entry holds (19, slapo-unique)."""


class Refused(Exception):
    """Any other result: the server understood and would not. `text` names the result, never a value."""


class Client:
    """Requests to one directory server (or several in `uri`, separated by blanks, all ldapi:, all ldaps: or all ldap:
    with StartTLS: the first that answers serves).

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
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None
        self._failed_at = -_RETRY_AFTER

    async def search(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], limit: int = 0
    ) -> list[Entry]:
        """Entries that match, in no order; [] also where `base` is not there. `limit` 0 is no limit."""
        for attempt in (1, 2):
            connection = self._connection
            if connection is None or connection.closed:
                connection = await self._connect()
            try:
                found = await connection.search(base, scope, filter_text, attributes, limit)
            except NoSuchEntry:
                return []
            except DirectoryUnavailable:
                if attempt == 2:
                    raise
                continue
            return [Entry(*row) for row in found if row[0] is not None]
        raise AssertionError("unreachable")

    async def add(self, dn: str, attributes: Attributes) -> None:
        """Raises AlreadyThere, NoSuchEntry (no parent), Refused."""
        rows = [(name, list(values)) for name, values in attributes.items() if values]
        await self._write(lambda handle: handle.add_ext(dn, rows))

    async def modify(self, dn: str, changes: Sequence[Change]) -> None:
        """All changes or none. Raises NoSuchEntry, AlreadyThere, Refused."""
        rows = [(kind, name, None if values is None else list(values)) for kind, name, values in changes]
        await self._write(lambda handle: handle.modify_ext(dn, rows))

    async def delete(self, dn: str) -> None:
        await self._write(lambda handle: handle.delete_ext(dn))

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(BaseException):
                await self._connecting
        if self._connection is not None:
            self._connection.close()

    async def _write(self, send: Any) -> None:
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connect()
        await connection.request(send)

    async def _connect(self) -> _Connection:
        """Joins the attempt that is under way, or starts one."""
        if self._connecting is None:
            if time.monotonic() - self._failed_at < _RETRY_AFTER:
                raise DirectoryUnavailable(self.row.id)
            self._connecting = asyncio.create_task(self._open())
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    def _connected(self, task: asyncio.Task[_Connection]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is not None:
            self._failed_at = time.monotonic()

    async def _open(self) -> _Connection:
        try:
            sealed = self.row.encryption is Encryption.REQUIRED
            handle = await asyncio.to_thread(_bind, self._uri, self._bind_dn, self._password, self._timeout, sealed)
        except ldap.LDAPError as error:
            log(Event.DIRECTORY_UNAVAILABLE, path=self.row.id, error=_describe(error))
            raise DirectoryUnavailable(self.row.id) from None
        self._connection = _Connection(handle, self.row.id, self._timeout)
        if self._observed is not None:
            seal, peer = _seal(handle), urlsplit(self._uri.split()[0]).hostname or ""
            local = seal is not None and seal.protocol == "local"
            self._observed.seen(self.row.id, "local" if local else peer, Mechanism.BASIC, seal, time.time())
        return self._connection


class _Connection:
    """One bound libldap handle on the event loop. libldap writes a request when it is made; answers are collected when
    the socket is readable. When it fails, all that wait on it hear DirectoryUnavailable."""

    def __init__(self, handle: SimpleLDAPObject, row_id: str, timeout: float) -> None:
        self.closed = False
        self._handle = handle
        self._row_id = row_id
        self._timeout = timeout
        self._waiting: dict[int, tuple[asyncio.Future[Any], float]] = {}
        self._room = asyncio.Semaphore(_MAX_OUTSTANDING)
        self._loop = asyncio.get_running_loop()
        self._fd = handle.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._timer = self._loop.call_later(timeout / 4, self._check_time)

    async def search(self, base: str, scope: int, text: str, names: Sequence[str], limit: int) -> Any:
        return await self.request(
            lambda handle: handle.search_ext(base, scope, text, names, sizelimit=limit)  # RFC 4511 section 4.5.1
        )

    async def request(self, send: Any) -> Any:
        async with self._room:
            if self.closed:
                raise DirectoryUnavailable(self._row_id)
            try:
                number = send(self._handle)
            except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT) as error:
                self._fail(_describe(error))
                raise DirectoryUnavailable(self._row_id) from None
            except ldap.LDAPError as error:
                raise _translate(error, self._row_id) from None
            future: asyncio.Future[Any] = self._loop.create_future()
            self._waiting[number] = (future, self._loop.time() + self._timeout)
            try:
                return await future
            finally:
                self._waiting.pop(number, None)

    def close(self) -> None:
        self._fail("closed", quiet=True)

    def _readable(self) -> None:
        """Takes every complete answer that libldap has; what is incomplete stays with it until more bytes come."""
        while not self.closed:
            try:
                kind, rows, number, _ = self._handle.result3(ldap.RES_ANY, 1, 0)
            except ldap.LDAPError as error:
                details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
                if "msgid" not in details:  # not one request's result: the connection itself
                    self._fail(_describe(error))
                    return
                self._settle(details["msgid"], None, _translate(error, self._row_id))
            else:
                if kind is None:
                    return
                self._settle(number, rows, None)
            if not self._waiting:
                return

    def _settle(self, number: int, rows: Any, error: Exception | None) -> None:
        future, _ = self._waiting.pop(number, (None, 0.0))
        if future is None or future.done():
            return
        if error is None:
            future.set_result(rows)
        else:
            future.set_exception(error)

    def _check_time(self) -> None:
        """A server that leaves one request unanswered for the whole time-out is taken for hung."""
        now = self._loop.time()
        if any(deadline < now for _, deadline in self._waiting.values()):
            self._fail("no answer in time")
            return
        self._timer = self._loop.call_later(self._timeout / 4, self._check_time)

    def _fail(self, why: str, quiet: bool = False) -> None:
        if self.closed:
            return
        self.closed = True
        self._timer.cancel()
        self._loop.remove_reader(self._fd)
        if not quiet:
            log(Event.DIRECTORY_UNAVAILABLE, path=self._row_id, error=why)
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(DirectoryUnavailable(self._row_id))
        with contextlib.suppress(ldap.LDAPError):
            self._handle.unbind_ext()


def answers(uri: str, bind_dn: str, password: str) -> None:
    """Binds once, blocking: whether a server is up and knows us. Raises DirectoryUnavailable."""
    try:
        _bind(uri, bind_dn, password, 2.0).unbind_ext()
    except ldap.LDAPError as error:
        raise DirectoryUnavailable(_describe(error)) from None


def _bind(uri: str, bind_dn: str, password: str, timeout: float, sealed: bool = True) -> SimpleLDAPObject:
    """The password goes over a unix socket or, where the row asks for it (`sealed`), inside TLS 1.2 or later only."""
    handle = SimpleLDAPObject(uri)
    handle.protocol_version = ldap.VERSION3
    handle.set_option(ldap.OPT_NETWORK_TIMEOUT, timeout)
    handle.set_option(ldap.OPT_TIMEOUT, timeout)
    handle.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
    try:
        if not uri.startswith("ldapi:"):
            handle.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            handle.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
            for option in (ldap.OPT_X_TLS_CACERTFILE, ldap.OPT_X_TLS_CACERTDIR):  # a context of our own has none
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


def _seal(handle: SimpleLDAPObject) -> Seal | None:
    if str(handle.get_option(ldap.OPT_URI)).startswith("ldapi:"):
        return Seal("local", "unix")
    version, cipher = handle.get_option(ldap.OPT_X_TLS_VERSION), handle.get_option(ldap.OPT_X_TLS_CIPHER)
    return Seal(str(version).replace("TLS1", "TLSv1"), str(cipher)) if version else None


def _translate(error: ldap.LDAPError, row_id: str) -> Exception:
    if isinstance(error, ldap.NO_SUCH_OBJECT | ldap.NO_SUCH_ATTRIBUTE):
        return NoSuchEntry()
    if isinstance(error, ldap.ALREADY_EXISTS | ldap.TYPE_OR_VALUE_EXISTS | ldap.CONSTRAINT_VIOLATION):
        return AlreadyThere()
    if isinstance(error, ldap.BUSY | ldap.UNAVAILABLE | ldap.SERVER_DOWN | ldap.TIMEOUT | ldap.TIMELIMIT_EXCEEDED):
        return DirectoryUnavailable(row_id)
    return Refused(_describe(error))


def _describe(error: ldap.LDAPError) -> str:
    """The result's name and the server's words; `matched` and values stay out."""
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return f"{type(error).__name__}: {details.get('info') or details.get('desc', '')}"
