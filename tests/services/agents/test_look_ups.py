"""What agents ask DNS: how much at once, and how much is remembered of it."""

from __future__ import annotations

import asyncio

from postern.protocols.authentication.questions import UNKNOWN, Answer, Found, Kind, Question
from postern.services.agents.look_ups import BlockLists, LookUps
from postern.transport.agents.block_lists import parse_provider
from postern.transport.agents.connection_filter import client_address


def test_look_ups_are_bounded() -> None:
    async def test() -> None:
        never = asyncio.Event()

        async def silent(question: Question) -> Answer:
            await never.wait()
            return Answer(Found.NOTHING)

        look_ups = LookUps(silent)
        asked = [asyncio.create_task(look_ups.ask(Question("x.test", Kind.A), 0.5)) for _ in range(2000)]
        await asyncio.sleep(0)
        assert await look_ups.ask(Question("one.more.test", Kind.A)) == UNKNOWN
        assert set(await asyncio.gather(*asked)) == {UNKNOWN}

    asyncio.run(test())


def test_block_list_verdicts_are_remembered_within_bounds() -> None:
    async def test() -> None:
        now, count = 0.0, 0

        async def listed(question: Question) -> Answer:
            nonlocal count
            count += 1
            if question.name.startswith("1.0.0.127"):
                return Answer(Found.NO_NAME)
            return Answer(Found.YES, ("127.0.0.2",), 1.0)

        lists = BlockLists(LookUps(listed), lambda: now)
        address, providers = client_address("192.0.2.1"), (parse_provider("bl.test"),)
        assert address is not None
        assert await asyncio.gather(*(lists.start(address, providers) for _ in range(50))) == ["bl.test"] * 50
        assert count == 2
        now = 59.0
        assert lists.known(address, providers) == "bl.test"
        now = 61.0
        assert lists.known(address, providers) is None

    asyncio.run(test())
