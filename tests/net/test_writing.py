"""A link gives its transport a long answer in pieces, while that has room, with the loop's other work in between."""

from __future__ import annotations

import asyncio
from typing import Any

from postern.net.link import WRITE, Link
from tests.services.test_conversation import Echo


class Transport(asyncio.Transport):
    """Keeps what is written; is full after each write where `narrow`."""

    def __init__(self, link: Link, narrow: bool) -> None:
        super().__init__()
        self.link = link
        self.narrow = narrow
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written.append(bytes(data))
        if self.narrow:
            self.link.pause_writing()

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def linked(narrow: bool) -> tuple[Link, Transport]:
    link = Link(Echo())
    transport = Transport(link, narrow)
    link.connection_made(transport)
    link.resume_writing()
    transport.written.clear()
    return link, transport


LONG = bytes(range(256)) * 4096  # 1 MB


def test_a_long_answer_is_given_in_pieces_in_order() -> None:
    async def test() -> None:
        link, transport = linked(narrow=False)
        link.write(LONG)
        link.write(b"more")
        assert link.congested and len(transport.written) == 1
        others = 0
        drained = asyncio.create_task(link.drained())
        while link.congested:
            others += 1
            await asyncio.sleep(0)
        await drained
        assert b"".join(transport.written) == LONG + b"more"
        assert max(map(len, transport.written)) <= WRITE
        assert others >= len(LONG) // WRITE, "each piece has a turn of the loop for itself"
        link.write(b"at once")
        assert transport.written[-1] == b"at once" and not link.congested
        link.connection_lost(None)

    asyncio.run(test())


def test_who_does_not_read_has_one_piece_in_the_transport() -> None:
    async def test() -> None:
        link, transport = linked(narrow=True)
        link.write(LONG)
        drained = asyncio.create_task(link.drained())
        for pieces in range(1, len(LONG) // WRITE + 1):
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(transport.written) == pieces and link.congested and not drained.done()
            link.resume_writing()
        await drained
        assert b"".join(transport.written) == LONG and not link.congested
        link.connection_lost(None)

    asyncio.run(test())


def test_closing_sends_what_is_written_first_and_nothing_more() -> None:
    async def test() -> None:
        link, transport = linked(narrow=False)
        link.write(LONG)
        link.close()
        assert link.is_closed and not transport.closed
        link.write(b"too late")
        for _ in range(2 * len(LONG) // WRITE):
            await asyncio.sleep(0)
        assert transport.closed
        assert b"".join(transport.written) == LONG
        link.connection_lost(None)

    asyncio.run(test())


def test_a_lost_or_aborted_link_forgets_what_is_not_written() -> None:
    async def test() -> None:
        for end in (Link.abort, lambda link: link.connection_lost(None)):
            link, transport = linked(narrow=True)
            link.write(LONG)
            waiting = asyncio.create_task(link.drained())
            await asyncio.sleep(0)
            end(link)
            link.connection_lost(None)
            await waiting
            link.resume_writing()
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(transport.written) == 1

    asyncio.run(test())
