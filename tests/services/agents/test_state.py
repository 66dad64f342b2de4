"""The agents' file and counts: two writers, slips, and workers that notice."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from functools import partial
from pathlib import Path

import pytest

from postern.services.agents.state import AgentFile, AgentState, Statistics, total
from postern.telemetry.metrics import Metric, Metrics
from postern.transport.agents.catalogue import BUILT


def test_a_change_is_read_by_others(tmp_path: Path) -> None:
    reader = AgentFile(tmp_path)
    assert reader.read() is reader.read() and not reader.read().enabled
    AgentFile(tmp_path).change(lambda state: state.enabled.update(spf=False))
    assert reader.read().enabled == {"spf": False} and reader.read() is reader.read()
    assert (tmp_path / "agents/settings.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "agents").stat().st_mode & 0o777 == 0o700


def test_where_agents_are_on() -> None:
    state = AgentState()
    assert state.is_enabled("spf", on_edge=True) and not state.is_enabled("spf", on_edge=False)
    assert not state.is_enabled("sender-id", on_edge=True)
    assert state.is_enabled("dkim-signing", on_edge=False)
    assert AgentState({"spf": True}).is_enabled("spf", on_edge=False)


def test_a_wrong_change_changes_nothing(tmp_path: Path) -> None:
    file = AgentFile(tmp_path)
    file.change(lambda state: state.settings.update({"recipient-filter": {"tarpit": 2.0}}))
    with pytest.raises(ValueError):
        file.change(lambda state: state.settings.update({"recipient-filter": {"tarpit": 2000}}))
    assert file.read().settings == {"recipient-filter": {"tarpit": 2.0}}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"enabled": 1, "settings": {}}', '{"enabled": {}}', "\xff"])
def test_a_broken_file_leaves_what_was_read_last(tmp_path: Path, content: str) -> None:
    file = AgentFile(tmp_path)
    file.change(lambda state: state.enabled.update(spf=False))
    assert file.read().enabled == {"spf": False}
    (tmp_path / "agents/settings.json").write_text(content, encoding="latin-1")
    assert file.read().enabled == {"spf": False}


def test_what_is_no_agents_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    text = json.dumps({"enabled": {"spf": False, "dmarc": "no", "x": True}, "settings": {"x": {}, "spf": 1}})
    (tmp_path / "agents/settings.json").write_text(text)
    assert AgentFile(tmp_path).read() == AgentState({"spf": False}, {})


def _set(agent: str, on: bool, state: AgentState) -> None:
    state.enabled[agent] = on


def _writer(folder: Path, agent: str) -> None:
    for number in range(50):
        AgentFile(folder).change(partial(_set, agent, bool(number % 2)))


def test_two_administrators_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_writer, args=(tmp_path, agent)) for agent in ("spf", "dmarc")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert AgentFile(tmp_path).read().enabled == {"spf": True, "dmarc": True}


def test_counts_of_all_workers(tmp_path: Path, counted: Metrics) -> None:
    async def test() -> None:
        for worker in range(2):
            counts = Statistics.of_worker(tmp_path, "edge", worker)
            counts.add("spf", time.perf_counter())
            counts.add("spf", time.perf_counter(), 550)
            counts.add("spf", time.perf_counter(), 451)
            counts.add("spf", time.perf_counter(), error=True)
            counts.flush()

    asyncio.run(test())
    found = total(tmp_path)["spf"]
    assert (found.seen, found.rejected, found.tempfailed, found.errors) == (8, 2, 2, 2) and found.seconds > 0
    outcomes = ("accept", "reject", "defer", "error")
    assert counted.values == {(Metric.AGENT_DECISIONS, ("spf", outcome)): 2 for outcome in outcomes}
    assert Statistics.of_worker(tmp_path, "edge", 0).counts["spf"].seen == 4, "a new process goes on counting"
    (tmp_path / "agents/statistics-edge-1.json").write_text("broken")
    assert total(tmp_path)["spf"].seen == 4 and set(total(tmp_path)) == set(BUILT)


def test_counts_are_written_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postern.services.agents.state.FLUSH", 0.01)

    async def test() -> None:
        written = asyncio.Event()
        counts = Statistics.of_worker(tmp_path, "edge", 0)
        flush = counts.flush
        monkeypatch.setattr(counts, "flush", lambda: (flush(), written.set()))
        counts.add("spf", time.perf_counter())
        async with asyncio.timeout(10):
            await written.wait()
        assert total(tmp_path)["spf"].seen == 1

    asyncio.run(test())
