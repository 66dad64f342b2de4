"""One bound LDAP connection on the event loop, and the meaning of results. Only the clients of a directory use it.

libldap writes a request when it is made; answers are collected when the socket is readable. One read may bring several answers,
and those wait in libldap's own buffer, of which no event tells: so it is emptied every time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ldap
from ldap.controls import LDAPControl, RequestControl
from ldap.ldapobject import SimpleLDAPObject

from postern.model.directory import DirectoryUnavailable
from postern.telemetry.log import Event, log

_MAX_OUTSTANDING = 64
"""Unanswered requests a connection carries: few enough that writing one rarely meets a full socket."""
_FULL = 0.01
"""Seconds until a request that met a full socket is made again."""
_PATIENCE = 5
"""The number of time-outs that a request may wait while its connection brings other answers, or parts of its own."""


class NoSuchEntry(Exception):
    """RFC 4511 noSuchObject (32), or noSuchAttribute (16): the value to delete is not there."""


class AlreadyThere(Exception):
    """entryAlreadyExists (68), attributeOrValueExists (20), or a value that another entry holds (19, slapo-unique)."""


class Refused(Exception):
    """Any other result: the server understood the request and refused it. The text names the result, never a value."""


class Result(NamedTuple):
    """The answer to one request: rows of (name or None, attributes), and the response's controls that are known here."""

    rows: Any
    controls: Sequence[LDAPControl]


class Connection:
    """One bound connection. When it fails, all requests that wait raise DirectoryUnavailable. `ended` is called once with the
    reason, which is "" after `close`."""

    def __init__(
        self,
        handle: SimpleLDAPObject,
        row_id: str,
        timeout: float,
        ended: Callable[[str], None] = lambda why: None,
    ) -> None:
        self.closed = False
        self.handle = handle
        self._row_id = row_id
        self._timeout = timeout
        self._ended = ended
        self._retired = False
        self._heard = 0.0
        self._waiting: dict[int, tuple[asyncio.Future[Result], float]] = {}
        self._room = asyncio.Semaphore(_MAX_OUTSTANDING)
        self._loop = asyncio.get_running_loop()
        self._fd = handle.fileno()
        self._loop.add_reader(self._fd, self._incoming)
        self._timer = self._loop.call_later(timeout / 4, self._check_time)

    async def search(
        self,
        base: str,
        scope: int,
        text: str,
        names: Sequence[str],
        limit: int = 0,
        controls: Sequence[RequestControl] = (),
    ) -> Result:
        return await self.request(
            lambda handle: handle.search_ext(  # RFC 4511 section 4.5.1
                base, scope, text, list(names) or None, serverctrls=list(controls) or None, sizelimit=limit
            )
        )

    async def request(self, send: Callable[[SimpleLDAPObject], int]) -> Result:
        async with self._room:
            number = await self._send(send)
            future: asyncio.Future[Result] = self._loop.create_future()
            self._waiting[number] = (future, self._loop.time() + self._timeout)
            try:
                return await future
            finally:
                self._waiting.pop(number, None)
                if self._retired and not self._waiting:
                    self.close()

    async def _send(self, send: Callable[[SimpleLDAPObject], int]) -> int:
        until = self._loop.time() + self._timeout
        while not self.closed:
            try:
                return send(self.handle)
            except ldap.BUSY as error:  # the socket is full, and libldap keeps one unfinished request only
                if self._loop.time() > until:
                    self._fail("takes no more requests")
                    raise DirectoryUnavailable(self._row_id) from error
                await asyncio.sleep(_FULL)
            except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT) as error:
                self._fail(describe(error))
            except ldap.LDAPError as error:
                raise translate(error, self._row_id) from None
        raise DirectoryUnavailable(self._row_id)

    def retire(self) -> None:
        """Closes once the waiting requests have their answers. The caller makes no more requests."""
        self._retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        self._fail("")

    def _incoming(self) -> None:
        self._heard = self._loop.time()
        self._take()

    def _take(self) -> None:
        """Takes every complete answer that libldap has; an incomplete one stays there until more octets come."""
        while not self.closed:
            try:
                kind, rows, number, controls = self.handle.result3(ldap.RES_ANY, 1, 0)
            except ldap.LDAPError as error:
                details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
                if "msgid" not in details:  # not one request's result: the connection itself
                    self._fail(describe(error))
                    return
                self._settle(details["msgid"], None, translate(error, self._row_id))
            else:
                if kind is None:
                    return
                self._settle(number, Result(rows, controls or ()), None)
            if not self._waiting:
                return

    def _settle(self, number: int, result: Result | None, error: Exception | None) -> None:
        future, _ = self._waiting.pop(number, (None, 0.0))
        if future is None or future.done():
            return
        if result is not None:
            future.set_result(result)
        elif error is not None:
            future.set_exception(error)

    def _check_time(self) -> None:
        """Fails a connection that brought nothing for the whole time-out while a request waits: its server hangs."""
        self._take()  # also lets libldap write on, where a full socket had stopped it
        now = self._loop.time()
        late = max((now - deadline for _, deadline in self._waiting.values()), default=-1.0)
        if late > (0 if now - self._heard > self._timeout else (_PATIENCE - 1) * self._timeout):
            self._fail("no answer in time")
        if not self.closed:
            self._timer = self._loop.call_later(self._timeout / 4, self._check_time)

    def _fail(self, why: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._timer.cancel()
        self._loop.remove_reader(self._fd)
        if why:
            log(Event.DIRECTORY_UNAVAILABLE, path=self._row_id, error=why)
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(DirectoryUnavailable(self._row_id))
        with contextlib.suppress(ldap.LDAPError):
            self.handle.unbind_ext()
        self._ended(why)


def translate(error: ldap.LDAPError, row_id: str) -> Exception:
    if isinstance(error, ldap.NO_SUCH_OBJECT | ldap.NO_SUCH_ATTRIBUTE):
        return NoSuchEntry()
    if isinstance(error, ldap.ALREADY_EXISTS | ldap.TYPE_OR_VALUE_EXISTS | ldap.CONSTRAINT_VIOLATION):
        return AlreadyThere()
    if isinstance(error, ldap.BUSY | ldap.UNAVAILABLE | ldap.SERVER_DOWN | ldap.TIMEOUT | ldap.TIMELIMIT_EXCEEDED):
        return DirectoryUnavailable(row_id)
    return Refused(describe(error))


def describe(error: ldap.LDAPError) -> str:
    """Returns the result's name and the server's message, without `matched` and values."""
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return f"{type(error).__name__}: {details.get('info') or details.get('desc', '')}"
