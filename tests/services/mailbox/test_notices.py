"""A mailbox server's notices to hubs: nothing that is submitted while a hub is being told waits for the next look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from postern.protocols.dcerpc.codecs import read_uuids
from postern.services.mailbox import submission
from postern.services.mailbox.submission import SubmissionNotifier
from postern.services.rpc.client import RpcError


class Hub:
    """A client of MAIL_SUBMISSION that answers when it is told to. `trouble` is raised once."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.target = SimpleNamespace(row=SimpleNamespace(id="mailbox-to-hub-submission"), fqdn="hub1.example.test")
        self.trouble = trouble
        self.named: asyncio.Queue[list[UUID]] = asyncio.Queue()
        self.answers = asyncio.Event()

    async def call(self, name: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        self.named.put_nowait(read_uuids(values[1]))
        await self.answers.wait()
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        return [0]

    async def close(self) -> None:
        pass


def _notifier(hub: Hub) -> SubmissionNotifier:
    async def nothing_waits() -> list[UUID]:
        return []

    return SubmissionNotifier("mbx1", [hub], nothing_waits, rescan=3600.0)  # type: ignore[list-item]  # it has what is asked


def test_a_submit_during_a_notice_is_told_at_once() -> None:
    async def run() -> None:
        hub, mailbox = Hub(), uuid4()
        notifier = _notifier(hub)
        notifier.start()
        notifier.submitted(mailbox)
        assert await asyncio.wait_for(hub.named.get(), 10) == [mailbox]
        notifier.submitted(mailbox)
        hub.answers.set()
        assert await asyncio.wait_for(hub.named.get(), 10) == [mailbox]
        await notifier.close()

    asyncio.run(run())


def test_a_notice_that_fails_in_any_way_is_sent_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(submission, "_AGAIN", 0.01)

    async def run() -> None:
        for trouble in (RpcError("no connection", executed=False), ValueError("unexpected")):
            hub, mailbox = Hub(trouble), uuid4()
            hub.answers.set()
            notifier = _notifier(hub)
            notifier.submitted(mailbox)
            notifier.start()
            for _ in range(2):
                assert await asyncio.wait_for(hub.named.get(), 10) == [mailbox]
            await notifier.close()

    asyncio.run(run())
