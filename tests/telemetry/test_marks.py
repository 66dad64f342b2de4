"""A mark stands while a message is computed on, and at no other time: not while a thread, a disk or a peer is waited for."""

from __future__ import annotations

import ast
import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from postern.model.mail import (
    Action,
    Content,
    Envelope,
    EnvelopeRecipient,
    HopKind,
    NextHop,
    Origin,
    Parcel,
    RecipientOutcome,
)
from postern.protocols.authentication.header import fields
from postern.protocols.mime.message import Rendered
from postern.services.agents import outward as outward_agents
from postern.services.agents.state import Statistics
from postern.store import rendered, renewal, wire
from postern.store.connection import Row
from postern.telemetry import attempts
from postern.telemetry.attempts import Attempts
from postern.transport.agents import authentication, dkim_signing
from postern.transport.agents.agent import AgentSources, IncomingMail, Stranger
from postern.transport.agents.sender_policy import DkimVerificationSettings

SOURCE = Path(attempts.__file__).parents[1]
LARGE = b"From: a@example.test\r\nSubject: large\r\n\r\n" + b"x" * 78 + b"\r\n"
LARGE += (b"y" * 78 + b"\r\n") * 10_000


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> Attempts:
    made = Attempts()
    monkeypatch.setattr(attempts, "_table", made)
    return made


def overdue() -> str | None:
    return attempts.overdue(time.monotonic() + attempts.TIME + 1)


async def store(_: pytest.MonkeyPatch) -> object:
    return await rendered.Batch.of([LARGE], ["delivery/one"])


async def store_unfit(_: pytest.MonkeyPatch) -> object:
    return await rendered.Batch.of([b"Subject: bare\n\n" + b"a\n" * 100], ["delivery/one"])


async def renew(_: pytest.MonkeyPatch) -> object:
    async def run(statement: str, parameters: Sequence[wire.Parameter]) -> list[Row]:
        return [(wire.int8(1), LARGE)] if statement.startswith("SELECT") else []

    return await renewal._renew(run, [1])


class _Sends:
    max_batch = 1

    async def carry(self, hop: NextHop, parcels: Any) -> list[list[RecipientOutcome]]:
        return [
            [RecipientOutcome(r.address, Action.RELAYED, "2.0.0", "") for r in p.envelope.recipients] for p in parcels
        ]


async def sign(monkeypatch: pytest.MonkeyPatch) -> object:
    agents = outward_agents.OutwardAgents(
        _Sends(), Path("/nowhere"), Path("/nowhere"), Statistics(Path("/nowhere")), False
    )
    monkeypatch.setattr(agents, "_refresh", lambda: None)
    monkeypatch.setattr(agents, "_signing", {"example.test": []})
    envelope = Envelope("a@example.test", (EnvelopeRecipient("b@example.org"),))
    parcel = Parcel("queue1", "", envelope, Content.of(LARGE), Origin("", "", "", ""), 0.0)
    hop = NextHop(HopKind.SMTP, ("example.org",), "hub-to-internet")
    ((outcome,),) = await agents.carry(hop, [parcel])
    assert outcome.action is Action.RELAYED
    return outcome


async def verify(_: pytest.MonkeyPatch) -> object:
    header, _, body = LARGE.partition(b"\r\n\r\n")
    signature = (
        b"DKIM-Signature: v=1; a=rsa-sha256; d=example.test; s=one; h=from; c=relaxed/relaxed;"
        b" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
    )
    (good,) = authentication.signatures(fields(signature + header + b"\r\n"))
    assert isinstance(good, authentication.Signature)
    client = Stranger(AgentSources(None, None, ""))  # type: ignore[arg-type]  # nothing is asked
    mail = IncomingMail(client, "", "", header, Content.of(b"\r\n" + body), 0.0, 0.0, "data/one")
    return await authentication.DkimVerification(DkimVerificationSettings())._hashed(mail, [good])


WORK: dict[str, tuple[Callable[[pytest.MonkeyPatch], Awaitable[object]], object, str]] = {
    "a message to be stored": (store, rendered, "render"),
    "a message to be made fit": (store_unfit, rendered, "made_fit"),
    "a message to be rendered anew": (renew, renewal, "render"),
    "a message to be signed": (sign, dkim_signing, "_sign"),
    "a message whose signature is looked at": (verify, authentication, "body_hashes"),
}


@pytest.mark.parametrize("work", WORK)
def test_work_that_waits_for_a_thread_is_not_marked_and_computing_is(
    work: str, table: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, module, name = WORK[work]
    may_end, others = threading.Event(), threading.Event()
    whole = getattr(module, name)
    computes: list[Callable[[], object]] = []

    def slow(*given: Any) -> Any:
        computes.pop()()
        assert may_end.wait(30)
        return whole(*given)

    monkeypatch.setattr(module, name, slow)

    async def run() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        computes.append(lambda: loop.call_soon_threadsafe(begun.set))
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, others.wait, 30)
        task = asyncio.ensure_future(begin(monkeypatch))
        for _ in range(10):
            await asyncio.sleep(0)
        assert computes and not task.done()
        assert overdue() is None, "it waits for a thread"
        others.set()
        await busy
        await begun.wait()
        assert overdue() is not None, "it is computed on"
        may_end.set()
        await task
        assert overdue() is None

    try:
        asyncio.run(asyncio.wait_for(run(), 30))
    finally:
        others.set()
        may_end.set()


def test_what_raises_in_a_thread_counts_and_its_mark_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> Rendered:
        raise RecursionError

    monkeypatch.setattr(rendered, "render", broken)
    for count in (1, 2):
        with pytest.raises(rendered.Unrenderable):
            asyncio.run(rendered.Batch.of([LARGE], ["delivery/one"]))
        assert attempts._table._known["delivery/one"].count == count
    assert overdue() is None


MARKS = {"attempt", "counted", "judging"}


def marked(tree: ast.AST) -> Iterator[ast.With | ast.AsyncWith]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            calls = (item.context_expr for item in node.items)
            names = {ast.unparse(call.func).rpartition(".")[2] for call in calls if isinstance(call, ast.Call)}
            if names & MARKS:
                yield node


def test_no_marked_block_waits() -> None:
    blocks, waiting = 0, []
    for file in SOURCE.rglob("*.py"):
        for block in marked(ast.parse(file.read_bytes())):
            blocks += 1
            if any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(block)):
                waiting.append(f"{file.relative_to(SOURCE)}:{block.lineno}")
    assert blocks > 5
    assert waiting == []
