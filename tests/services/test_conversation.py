"""The pump that all sessions share: answers in order, bounded waiting, failures and silence in the protocol's words."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from postern.services import conversation
from postern.services.conversation import Conversation


class FakeLink:
    """What a conversation sees of its link, written down."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = False
        self.is_closed = False
        self.congested = False
        self.aborted = False
        self.room = asyncio.Event()
        self.done = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written += data

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    async def drained(self) -> None:
        await self.room.wait()

    def close(self) -> None:
        self.is_closed = True
        self.done.set()

    def abort(self) -> None:
        self.aborted = True
        self.close()


class Echo(Conversation):
    """Each octet is a command: "s" is answered at once, "w" when `go` is set, "x" raises, "r" is a reset connection."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: deque[int] = deque()
        self.said = bytearray()
        self.go = asyncio.Event()
        self.has_ended = False

    def greet(self) -> None:
        self.said += b"hello "

    def feed(self, data: bytes) -> None:
        self.pending.extend(data)

    def next_event(self) -> bytes | None:
        return bytes([self.pending.popleft()]) if self.pending else None

    def outgoing(self) -> bytes:
        said, self.said = self.said, bytearray()
        return bytes(said)

    def handle(self, event: bytes) -> Awaitable[None] | None:
        if event == b"x":
            raise RuntimeError("a defect")
        if event in b"wr":
            return self._later(event)
        self.said += event
        return None

    async def _later(self, event: bytes) -> None:
        await self.go.wait()
        if event == b"r":
            raise ConnectionResetError
        self.said += event

    def timed_out(self) -> None:
        self.said += b"too long"

    def failed(self, error: BaseException) -> None:
        self.said += b"sorry"

    def ended(self) -> None:
        self.has_ended = True


async def opened() -> tuple[Echo, FakeLink]:
    session, link = Echo(), FakeLink()
    session.opened(link)
    return session, link


def played(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 20))

    run.__name__ = test.__name__
    return run


async def settled(session: Echo) -> None:
    """Until no handler is under way, and no turn is waited for."""
    while (task := session._task) is not None:
        if isinstance(task, asyncio.Task):
            await asyncio.wait([task])
        await asyncio.sleep(0)


@played
async def test_the_greeting_comes_first_and_answers_at_once() -> None:
    session, link = await opened()
    session.received(b"ss")
    assert link.written == b"hello ss"


@played
async def test_answers_keep_the_order_of_commands() -> None:
    session, link = await opened()
    session.received(b"sws")
    session.received(b"s")
    assert link.written == b"hello s"
    session.go.set()
    await settled(session)
    assert link.written == b"hello swss"


@played
async def test_who_sends_while_an_answer_is_due_is_read_only_so_far() -> None:
    session, link = await opened()
    session.received(b"w")
    session.received(b"s" * conversation.MAX_WAITING)
    assert not link.paused
    session.received(b"s")
    assert link.paused
    session.go.set()
    await settled(session)
    assert not link.paused
    assert link.written == b"hello w" + b"s" * (conversation.MAX_WAITING + 1)


@played
async def test_who_does_not_read_is_not_listened_to() -> None:
    session, link = await opened()
    link.congested = True
    session.received(b"s")
    assert link.written == b"hello "
    link.congested = False
    link.room.set()
    await settled(session)
    assert link.written == b"hello s"


@played
async def test_who_never_reads_is_left() -> None:
    session, link = await opened()
    session.idle_timeout = 0.01
    link.congested = True
    session.received(b"s")
    await link.done.wait()
    assert link.aborted


@played
async def test_a_defect_is_a_temporary_failure_and_the_end() -> None:
    session, link = await opened()
    session.received(b"sxs")
    assert link.written == b"hello ssorry"
    assert link.is_closed and not link.aborted


@played
async def test_a_connection_that_breaks_within_a_handler_is_no_defect() -> None:
    session, link = await opened()
    session.received(b"r")
    session.go.set()
    await link.done.wait()
    assert link.aborted and link.written == b"hello "


@played
async def test_what_was_sent_before_an_upgrade_is_forgotten() -> None:
    session, link = await opened()
    session.received(b"w")
    session.received(b"sss")
    session.drop_pending()
    session.go.set()
    await settled(session)
    assert link.written == b"hello w"


@played
async def test_silence_ends_in_the_protocols_words() -> None:
    session, link = Echo(), FakeLink()
    session.idle_timeout = 0.01
    session.opened(link)
    await link.done.wait()
    assert link.written == b"hello too long"


@played
async def test_a_closed_link_cancels_what_is_under_way() -> None:
    session, link = await opened()
    session.received(b"w")
    task = session._task
    assert task is not None
    await asyncio.sleep(0)  # so that it has begun
    session.closed(None)
    await asyncio.wait([task])
    assert session.has_ended
    assert link.written == b"hello "
