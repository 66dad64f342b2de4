"""The metrics port as monitoring sees it: Python's own client asks, Prometheus' own parser reads.

covers: services.metrics.host, services.metrics.exposition, services.http.single_request
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from postern.services.http import single_request
from postern.services.metrics import host, session
from postern.telemetry.log import Event
from postern.telemetry.metrics import Metric
from postern.transport.queue import Queue
from tests.services.metrics.doors import MetricsDoor

T = TypeVar("T")


def asked(door: MetricsDoor, work: Callable[[], T]) -> T:
    async def run() -> T:
        async with door.opened():
            return await asyncio.to_thread(work)

    return asyncio.run(run())


def get(door: MetricsDoor, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{door.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_prometheus_reads_what_every_process_counted(tmp_path: Path) -> None:
    door = MetricsDoor(tmp_path)
    Queue(door.state.queue / "0")._committer.close()
    (door.state.queue / "1").mkdir()
    (door.state.queue / "1" / "queue.sqlite").write_bytes(b"no database" * 1000)
    status, kind, body = asked(door, lambda: get(door, "/metrics"))
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert families.keys() == {metric.removesuffix("_total") for metric in Metric}, "each is told of, used or not"
    assert all(families[metric.removesuffix("_total")].documentation == metric.sentence for metric in Metric)

    def told(name: str) -> dict[tuple[tuple[str, str], ...], float]:
        return {tuple(sorted(s.labels.items())): s.value for s in families[name].samples if not s.name.endswith("_sum")}

    def labels(**values: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(values.items()))

    assert told("postern_messages") == {
        labels(path="imap4", step="receive", process=process): 5 for process in ("hub.0", "hub.1")
    }
    assert told("postern_up") == {labels(part=part, process="host"): 1 for part in ("hub.0", "slapd")}
    assert told("postern_queue_messages") == {labels(queue="0", process="host"): 0}
    buckets = [s for s in families["postern_rpc_seconds"].samples if s.labels["process"] == "hub.1"]
    counts = {s.labels["le"]: s.value for s in buckets if s.name.endswith("_bucket")}
    assert (counts["0.01"], counts["0.03"], counts["+Inf"]) == (0, 1, 1)


def test_a_message_that_waits_is_counted_with_its_age(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "0", clock=lambda: 1000.0)
    queue._committer.close()
    with sqlite3.connect(tmp_path / "0" / "queue.sqlite") as database:
        columns = "message_id, sender, origin, received, segment, offset, size"
        for received in (1000.0, 1030.0):
            database.execute(f"INSERT INTO messages ({columns}) VALUES ('', '', '', {received}, 0, 0, 0)")
    assert host.queues(tmp_path, 1090.0) == {
        (Metric.QUEUE_MESSAGES, ("0",)): 2,
        (Metric.QUEUE_OLDEST, ("0",)): 90.0,
    }


def test_many_who_ask_cost_no_more_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[int] = []
    monkeypatch.setattr(host, "FRESH", 60.0)
    monkeypatch.setattr(host, "exposition", lambda *told: gathered.append(1) or b"text")

    async def run() -> None:
        metrics = host.HostMetrics(MetricsDoor(tmp_path).state, "1")
        assert set(await asyncio.gather(*(metrics.text() for _ in range(50)))) == {b"text"}

    asyncio.run(run())
    assert gathered == [1]


@pytest.mark.parametrize("up", [True, False])
def test_health_names_the_parts(tmp_path: Path, up: bool) -> None:
    door = MetricsDoor(tmp_path, {"hub.0": True, "slapd": up})
    status, kind, body = asked(door, lambda: get(door, "/healthz"))
    assert (status, kind) == (200 if up else 503, "application/json")
    word = "up" if up else "down"
    assert json.loads(body) == {"status": word, "server": "server1", "parts": {"hub.0": "up", "slapd": word}}


def test_who_is_not_named_by_the_row_is_refused_and_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Event] = []
    monkeypatch.setattr(session, "log", lambda event, **fields: said.append(event))
    door = MetricsDoor(tmp_path, admitted=False)
    assert [status for status, _, _ in asked(door, lambda: [get(door, p) for p in ("/metrics", "/healthz", "/x")])] == [
        403,
        403,
        403,
    ]
    assert said == [Event.REFUSED] * 3
    assert {(local.host, local.port, peer.host) for local, peer in door.asked} == {
        ("127.0.0.1", door.port, "127.0.0.1")
    }


def test_there_is_nothing_else(tmp_path: Path) -> None:
    door = MetricsDoor(tmp_path)

    def work() -> list[bytes]:
        head = b" HTTP/1.1\r\nHost: x\r\n"
        return [
            door.send(wire)
            for wire in (
                b"GET /" + head + b"\r\n",
                b"GET /metrics/../secrets" + head + b"\r\n",
                b"DELETE /metrics" + head + b"\r\n",
                b"POST /metrics" + head + b"Content-Length: 3\r\n\r\nabc",
                b"GET /metrics" + head + b"Cookie: " + b"a" * 9000 + b"\r\n\r\n",
                b"EHLO x\r\n\r\n",
            )
        ]

    answers = asked(door, work)
    assert [int(answer.split(b" ", 2)[1]) for answer in answers] == [404, 404, 405, 413, 431, 400]
    assert b"\r\nAllow: GET, HEAD\r\n" in answers[2]
    assert all(b"\r\nConnection: close\r\n" in answer for answer in answers)
    assert not any(re.search(rb"postern_", answer) for answer in answers)


def test_head_is_answered_without_a_body_and_octets_may_come_one_by_one(tmp_path: Path) -> None:
    door = MetricsDoor(tmp_path)
    octets = [bytes([octet]) for octet in b"HEAD /healthz HTTP/1.0\r\n\r\n"]
    answer = asked(door, lambda: door.send(*octets))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n")


def test_who_never_ends_a_request_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_request, "DEADLINE", 0.05)
    door = MetricsDoor(tmp_path)
    assert asked(door, lambda: door.send(b"GET /metrics HTTP/1.1\r\nX:")) == b""
