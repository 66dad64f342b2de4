"""Work at intervals goes on after a failure, which is logged with its traceback once, and ends when it is cancelled."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from postern.telemetry.rounds import rounds


class Work:
    """Work that raises what it is told to, in turn, and says when it has been done `enough` times."""

    def __init__(self, *raises: Exception | None) -> None:
        self.raises = list(raises)
        self.pauses: list[str] = []
        self.enough = asyncio.Event()

    async def act(self) -> None:
        if not self.raises:
            self.enough.set()
        elif (error := self.raises.pop(0)) is not None:
            raise error

    def pause(self) -> float:
        self.pauses.append("pause")
        return 0.0


def test_a_failure_is_logged_and_the_next_round_comes() -> None:
    async def run() -> None:
        work = Work(ValueError("one"), ValueError("two"), None, ValueError("three"), OSError("expected"))
        with capture_logs() as lines:
            task = asyncio.create_task(rounds(work.pause, work.act, "tests", expected=(OSError,), at_once=True))
            await asyncio.wait_for(work.enough.wait(), 10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert [(line["event"], line["work"], line["error"], bool(line["exc_info"])) for line in lines] == [
            ("round-failed", "tests", "ValueError('one')", True),
            ("round-failed", "tests", "ValueError('two')", False),
            ("round-failed", "tests", "ValueError('three')", True),
        ]
        assert len(work.pauses) >= 5

    asyncio.run(run())


def test_the_first_round_comes_after_a_pause_unless_it_is_to_come_at_once() -> None:
    async def run() -> None:
        late, early = Work(), Work()
        tasks = [
            asyncio.create_task(rounds(3600.0, late.act, "late")),
            asyncio.create_task(rounds(3600.0, early.act, "early", at_once=True)),
        ]
        await asyncio.wait_for(early.enough.wait(), 10)
        assert not late.enough.is_set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
