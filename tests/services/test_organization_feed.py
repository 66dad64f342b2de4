"""A follower hears of the organization at once, and of each other one once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from postern.model.organization import AcceptedDomain, Organization, Role, StateFolder
from postern.roles.hub import Hub
from postern.roles.runtime import Runtime
from postern.roles.transport_agents import TransportAgents
from postern.services.organization_feed import OrganizationFeed
from postern.transport.queue import Queue
from tests.transport.world import FakeDirectory, organization


def test_followers_hear_at_once_and_of_changes_only() -> None:
    first = organization()
    other = first.with_domains([AcceptedDomain("new.test")])
    feed = OrganizationFeed(first)
    early: list[Organization] = []
    late: list[Organization] = []
    feed.follow(early.append)
    feed.tell(first.with_domains([]))
    assert early == [first], "equal is the same"
    feed.tell(other)
    feed.follow(late.append)
    assert (early, late) == ([first, other], [other])


def test_a_follower_that_raises_keeps_nobody_else_from_hearing() -> None:
    first = organization()
    other = first.with_domains([AcceptedDomain("new.test")])
    feed = OrganizationFeed(first)
    heard: list[Organization] = []

    def refuse(now: Organization) -> None:
        if now is other:
            raise ValueError("a bad domain")

    feed.follow(refuse)
    feed.follow(heard.append)
    with capture_logs() as lines:
        feed.tell(other)
    assert heard == [first, other]
    assert [(line["event"], line["error"]) for line in lines] == [("follower-failed", "ValueError('a bad domain')")]


def test_who_ends_following_hears_no_more() -> None:
    first = organization()
    feed = OrganizationFeed(first)
    heard: list[Organization] = []
    end = feed.follow(heard.append)
    end()
    end()
    feed.tell(first.with_domains([AcceptedDomain("new.test")]))
    assert heard == [first]


def _runtime(state: Path) -> Runtime:
    known = organization()
    return Runtime.of_worker(known, known.server("hub1"), StateFolder(state, state), "hub.0")


def _hub(runtime: Runtime) -> Any:
    """A hub of which only those parts are there that its queues and its outbox taker need."""
    hub: Any = Hub.__new__(Hub)
    hub.runtime, hub.logon = runtime, SimpleNamespace(directory=FakeDirectory())
    hub.carriers = SimpleNamespace(by_kind={}, peers={})
    return hub


def test_nobody_speaks_for_a_domain_that_was_added_after_a_hub_started(tmp_path: Path) -> None:
    runtime = _runtime(tmp_path)
    agents = TransportAgents(runtime, Role.HUB)
    taker = _hub(runtime)._take_outboxes(None)
    runtime.feed.tell(runtime.organization.with_domains([AcceptedDomain("new.test")]))
    assert "new.test" in agents.pipeline._own_names
    assert "new.test" in taker._own_names


def test_a_queue_that_was_given_back_follows_no_more(tmp_path: Path) -> None:
    async def run() -> None:
        runtime = _runtime(tmp_path)
        queue = Queue(tmp_path / "queue")
        dispatcher = _hub(runtime)._dispatch(queue)
        await dispatcher.start()
        assert runtime.feed._followers == [dispatcher.reorganize]
        await dispatcher.stop()
        await queue.close()
        assert runtime.feed._followers == []

    asyncio.run(run())
