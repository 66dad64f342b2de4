"""Connections to the mailbox database: a pool in which every request is one statement.

Each operation of the store is one prepared statement or function call, so that it is one round trip and one transaction,
and no transaction is ever left open. Built on psycopg's libpq layer: its cursors cost twice the time of a short query.
When a caller is cancelled, a statement that writes runs to its end, and one that only reads is ended (`Pool.read`). The
connection goes back to the pool when the answer is there.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable, Sequence

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGresult

from postern.model.mailbox import MailboxError, MailboxErrorCode
from postern.store.wire import Parameter, int8

_CODES = {f"PM{code:03}": code for code in MailboxErrorCode}
"""SQLSTATEs that our own functions raise."""
_QUERY_CANCELED = "57014"

# All access is by key; the planner need not guess from statistics that lag behind.
_OPTIONS = (
    "-c search_path=public,functions -c plan_cache_mode=force_generic_plan"
    " -c enable_seqscan=off -c enable_mergejoin=off -c enable_hashjoin=off -c enable_memoize=off -c jit=off"
)
_GRACE = 0.1
"""Seconds for which a statement that nobody waits for may still end by itself: a request to end it costs a connection."""
_CANCEL_WITHIN = 10.0
"""Seconds within which the server must take a request to end a statement."""
_BINARY = pq.Format.BINARY
_ANSWERS = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}

Row = tuple[bytes | None, ...]


class Rejected(Exception):
    """The database refused a statement with this SQLSTATE."""

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(f"{sqlstate} {text}")
        self.sqlstate = sqlstate


class Canceled(MailboxError):
    """The database ended a statement before its answer, for it took longer than its connection allows, or somebody asked for the
    end."""

    def __init__(self) -> None:
        super().__init__("UNAVAILABLE", "The mailbox database ended what was asked")


class Connection:
    """One connection, which serves one request at a time. It is `broken` once the server is gone, which it also notices while
    idle."""

    def __init__(self, owner: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._owner = owner  # keeps the libpq connection alive
        self._pgconn = owner.pgconn
        self._pgconn.nonblocking = 1
        self._pgconn.notify_handler = self._notified
        self._loop = asyncio.get_running_loop()
        self._descriptor = self._pgconn.socket
        self._ready = select.poll()
        self._ready.register(self._descriptor, select.POLLIN)
        self._statements: dict[str, bytes] = {}
        self._named = 0
        self._answer: asyncio.Future[PGresult] | None = None
        self._result: PGresult | None = None
        self._abandoned: asyncio.Task[None] | None = None
        self.broken = False
        self.notified: Callable[[str], None] | None = None
        """Called with the payload of each NOTIFY heard."""
        self.lost: Callable[[], None] | None = None
        """Called once when the server is gone."""
        self._loop.add_reader(self._descriptor, self._readable)

    @staticmethod
    async def open(conninfo: str, application: str, seconds: float = 0.0) -> Connection:
        """Connects. No statement may take longer than `seconds` (0: there is no limit). Raises MailboxError("UNAVAILABLE")."""
        options = _OPTIONS + (f" -c statement_timeout={int(seconds * 1000)}" if seconds else "")
        try:
            owner = await psycopg.AsyncConnection.connect(
                conninfo, autocommit=True, application_name=application, connect_timeout=10, options=options
            )
        except psycopg.Error:
            # libpq repeats parts of the URL, in which a password may stand, and causes are written into logs.
            raise _unavailable() from None
        return Connection(owner)

    async def run(self, statement: str, parameters: Sequence[Parameter] = (), prepare: bool = True) -> list[Row]:
        """Returns the rows of one statement, all values in binary. Raises Rejected, and MailboxError for what our functions
        refuse or, as UNAVAILABLE, when the server is lost."""
        formats = [_BINARY] * len(parameters)
        if not prepare:
            query = statement.encode()
            return _rows(
                await self._ask(lambda: self._pgconn.send_query_params(query, parameters, None, formats, _BINARY))
            )
        name = self._statements.get(statement)
        if name is None:
            self._named += 1
            name = b"s%d" % self._named
            new = name
            await self._ask(lambda: self._pgconn.send_prepare(new, statement.encode()))
            self._statements[statement] = name
        prepared = name
        return _rows(await self._ask(lambda: self._pgconn.send_query_prepared(prepared, parameters, formats, _BINARY)))

    async def script(self, text: str) -> None:
        """Runs several statements, without parameters, as one transaction."""
        await self._ask(lambda: self._pgconn.send_query(text.encode()))

    async def try_lock(self, key: int) -> bool:
        """Takes the advisory lock `key`, which ends with the connection, and so with the process. Returns False, without waiting,
        where another connection has it."""
        rows = await self.run("SELECT pg_try_advisory_lock($1::bigint)", [int8(key)])
        return rows[0][0] == b"\x01"

    def close(self) -> None:
        if not self.broken:
            self.broken = True
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._pgconn.finish()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(_unavailable())
            self._answer.exception()

    def abandon(self) -> None:
        """Gives up a request that only reads and that nobody waits for any more: if it has not ended by itself after _GRACE
        seconds, the server is asked to end it. Until it has ended, the connection is not idle."""
        if self._answer is not None and not self._answer.done() and self._abandoned is None:
            self._abandoned = self._loop.create_task(self._end(self._answer))
            self._abandoned.add_done_callback(self._ended)

    async def _end(self, answer: asyncio.Future[PGresult]) -> None:
        is_safe = True
        await asyncio.wait({answer}, timeout=_GRACE)
        if not answer.done():
            try:
                await self._owner.cancel_safe(timeout=_CANCEL_WITHIN)
            except psycopg.Error:
                is_safe = False
        await asyncio.wait({answer})
        if not is_safe:
            self.close()  # the request may yet come, and would end what somebody else asks

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._abandoned = None

    def when_idle(self, call: Callable[[], None]) -> None:
        """Calls `call` at once when the connection is idle, else when its request is answered."""
        if self._abandoned is not None:
            self._abandoned.add_done_callback(lambda _: call())
        elif self._answer is None or self._answer.done():
            call()
        else:
            self._answer.add_done_callback(lambda _: call())

    async def _ask(self, send: Callable[[], None]) -> PGresult:
        if self.broken:
            raise _unavailable()
        self._answer = self._loop.create_future()
        self._result = None
        try:
            send()
            if self._pgconn.flush():
                self._loop.add_writer(self._descriptor, self._writable)
        except psycopg.Error as error:
            self._lose()
            raise _unavailable() from error
        result = await asyncio.shield(self._answer)
        if result.status not in _ANSWERS:
            raise _refusal(result)
        return result

    def _writable(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._descriptor)
        except psycopg.Error:
            self._lose()

    def _readable(self) -> None:
        try:
            self._read()
            # uvloop tells of a socket's error once: when a dying server's last words come together with it, the error
            # would be heard no more. So while an answer is wanted, a socket is read until it has nothing.
            while self._answer is not None and not self._answer.done() and self._ready.poll(0):
                self._read()
        except psycopg.Error:
            self._lose()

    def _read(self) -> None:
        pgconn = self._pgconn
        pgconn.consume_input()
        while self._answer is not None and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                self._finish()
                break
            # The last result counts, or the first that is an error.
            if self._result is None or self._result.status in _ANSWERS:
                self._result = result
        while not self.broken and (notice := pgconn.notifies()) is not None:
            self._notified(notice)

    def _finish(self) -> None:
        answer, result = self._answer, self._result
        if answer is None or answer.done():
            return
        if result is None or (result.status == pq.ExecStatus.FATAL_ERROR and _is_gone(result)):
            self._lose()
        else:
            answer.set_result(result)

    def _notified(self, notice: pq.misc.PGnotify) -> None:
        if self.notified is not None:
            self.notified(notice.extra.decode("utf-8", "replace"))

    def _lose(self) -> None:
        first = not self.broken
        self.close()
        if first and self.lost is not None:
            self.lost()


class Pool:
    """Up to `size` connections, opened when needed. Requests wait in order of arrival. A statement that takes longer than
    `seconds` (0: there is no limit) raises Canceled."""

    def __init__(self, conninfo: str, size: int, application: str, seconds: float = 0.0) -> None:
        self._conninfo = conninfo
        self._size = size
        self._application = application
        self._seconds = seconds
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    async def run(self, statement: str, parameters: Sequence[Parameter] = (), prepare: bool = True) -> list[Row]:
        """Does as Connection.run, on any connection. The statement goes on when its caller is cancelled."""
        connection = await self._take()
        try:
            return await connection.run(statement, parameters, prepare)
        finally:
            connection.when_idle(lambda: self._give(connection))

    async def read(
        self,
        statement: str,
        parameters: Sequence[Parameter] = (),
        prepare: bool = True,
        ended: Callable[[], None] = lambda: None,
    ) -> list[Row]:
        """Does as `run`, for a statement that changes nothing: it ends when its caller is cancelled. `ended` is called once the
        database works on it no longer, which after a cancellation is a moment later."""
        try:
            connection = await self._take()
        except BaseException:
            ended()
            raise

        def give() -> None:
            self._give(connection)
            ended()

        try:
            return await connection.run(statement, parameters, prepare)
        except asyncio.CancelledError:
            connection.abandon()
            raise
        finally:
            connection.when_idle(give)

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        while self._waiting:
            self._pass_on(None)

    async def _take(self) -> Connection:
        while not self._closed:
            while self._idle:
                connection = self._idle.pop()
                if not connection.broken:
                    return connection
                self._open -= 1
            if self._open < self._size:
                return await self._connect()
            future: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                passed_on = await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled() and (handed := future.result()) is not None:
                    self._give(handed)
                raise
            if passed_on is not None:
                return passed_on
        raise _unavailable()

    async def _connect(self) -> Connection:
        self._open += 1
        try:
            return await Connection.open(self._conninfo, self._application, self._seconds)
        except BaseException:
            self._open -= 1
            self._pass_on(None)
            raise

    def _give(self, connection: Connection) -> None:
        if connection.broken or self._closed:
            connection.close()
            self._open -= 1
            self._pass_on(None)
        elif not self._pass_on(connection):
            self._idle.append(connection)

    def _pass_on(self, connection: Connection | None) -> bool:
        """Wakes the next in line: with a connection, or with None to look again."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return True
        return False


def _rows(result: PGresult) -> list[Row]:
    columns = range(result.nfields)
    return [tuple([result.get_value(row, column) for column in columns]) for row in range(result.ntuples)]


def _is_gone(result: PGresult) -> bool:
    """Whether the server is gone: without an SQLSTATE libpq itself lost it, and with class 57P it is shutting down or crashed."""
    sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
    return sqlstate == b"" or sqlstate.startswith(b"57P")


def _refusal(result: PGresult) -> Exception:
    sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    text = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
    if sqlstate in _CODES:
        return MailboxError(_CODES[sqlstate].name, text)
    if sqlstate == _QUERY_CANCELED:
        return Canceled()
    if sqlstate[:2] in ("08", "53", "57"):  # connection, resources (disk full), operator intervention
        return _unavailable()
    return Rejected(sqlstate, text)


def _unavailable() -> MailboxError:
    return MailboxError("UNAVAILABLE", "The mailbox database does not answer")
