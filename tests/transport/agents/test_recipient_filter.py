"""Closed recipients, and when a harvester begins to wait."""

from __future__ import annotations

from postern.transport.agents.recipient_filter import REMEMBERED, WINDOW, RecipientFilter, RecipientFilterSettings


def test_closed_recipients() -> None:
    agent = RecipientFilter(RecipientFilterSettings(("board@x.test", "intern.test")))
    assert agent.rcpt("board@x.test") is not None and agent.rcpt("all@intern.test") is not None
    assert agent.rcpt("alice@x.test") is None


def test_the_first_ones_of_a_connection_are_free() -> None:
    agent = RecipientFilter(RecipientFilterSettings(tarpit=5.0, after=3))
    assert [agent.unknown("192.0.2.1", n, 0.0) for n in range(1, 6)] == [0.0, 0.0, 0.0, 5.0, 5.0]


def test_many_connections_of_one_address_are_counted_together() -> None:
    agent = RecipientFilter(RecipientFilterSettings(after=3, after_per_address=10))
    waits = [agent.unknown("192.0.2.1", 1, 0.0) for _ in range(12)]
    assert waits == [0.0] * 10 + [5.0] * 2
    assert agent.unknown("192.0.2.2", 1, 0.0) == 0.0
    assert agent.unknown("192.0.2.1", 1, WINDOW + 1) == 0.0


def test_memory_is_bounded_and_outlives_a_change_of_settings() -> None:
    agent = RecipientFilter(RecipientFilterSettings(after_per_address=1))
    for number in range(REMEMBERED + 100):
        agent.unknown(f"caller{number}", 1, 0.0)
    assert len(agent._callers) == REMEMBERED
    other = RecipientFilter(RecipientFilterSettings(after_per_address=1))
    other.take_over(agent)
    assert other.unknown(f"caller{REMEMBERED}", 1, 0.0) == 5.0
    assert other.unknown("caller0", 1, 0.0) == 0.0


def test_no_tarpit() -> None:
    agent = RecipientFilter(RecipientFilterSettings(tarpit=0.0))
    assert not any(agent.unknown("192.0.2.1", n, 0.0) for n in range(100))
