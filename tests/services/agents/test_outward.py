"""Mail on its way out: what is ours stays at home, then it is signed, and dkimpy and Mail::DKIM verify it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import dkim as dkimpy
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
from postern.services.agents.dkim_keys import KeyRing
from postern.services.agents.outward import MAX_HEADER, OutwardAgents, split
from postern.services.agents.state import AgentFile, Statistics
from tests.services.name_server import serving

OUT = NextHop(HopKind.SMTP, ("other.test",), "edge-to-edge")
HEADER = b"Received: by hub1\r\nX-Postern-Trust: yes\r\nFrom: Alice <alice@corp.test>\r\nTo: bob@other.test\r\nSubject: hi\r\n"
BODY = b"\r\nHello  there\r\n.dot\r\n"


class Remembering:
    max_batch = 7

    def __init__(self) -> None:
        self.carried: list[Parcel] = []

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        self.carried += parcels
        return [[RecipientOutcome(parcel.queue_id, Action.RELAYED, "2.0.0")] for parcel in parcels]


def parcel(content: Content, name: str = "Q1") -> Parcel:
    envelope = Envelope("alice@corp.test", (EnvelopeRecipient("bob@other.test"),))
    return Parcel(name, "<1@corp.test>", envelope, content, Origin("hub-to-edge", "192.0.2.1"), 0.0)


class Case:
    def __init__(self, folder: Path, on_edge: bool = True) -> None:
        self.ring = KeyRing(folder / "secrets")
        self.folder = folder
        self.carrier = Remembering()
        self.statistics = Statistics(None)
        self.agents = OutwardAgents(self.carrier, folder, folder / "secrets", self.statistics, on_edge)

    def key(self, *selectors: str, ed25519: bool = False) -> None:
        for selector in selectors:
            self.ring.make("corp.test", selector, ed25519)
            self.ring.use("corp.test", [*self.ring.in_use("corp.test"), selector])

    def out(self, content: Content, hop: NextHop = OUT) -> bytes:
        asyncio.run(self._carry(hop, content))
        sent = self.carrier.carried[-1].content
        data = b"".join(sent.chunks[at] for at in range(len(sent.chunks)))
        assert len(data) == sent.size
        return data

    async def _carry(self, hop: NextHop, content: Content) -> None:
        [[outcome]] = await self.agents.carry(hop, [parcel(content)])
        assert outcome.action is Action.RELAYED

    def verifies(self, message: bytes) -> bool:
        def record(name: bytes, timeout: int = 5) -> bytes:
            selector = name.decode().partition(".")[0]
            return self.ring.load("corp.test", selector).record.encode()

        return bool(dkimpy.verify(message, dnsfunc=record))


def pieces(data: bytes, size: int) -> Content:
    return Content(tuple(data[at : at + size] for at in range(0, len(data), size)), len(data))


def test_signed_and_without_what_is_ours(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.key("s1")
    data = case.out(Content.of(HEADER + BODY))
    assert data.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=corp.test;\r\n\ts=s1;")
    assert b"X-Postern-Trust" not in data and data.endswith(BODY) and case.verifies(data)
    assert not case.verifies(data.replace(b"Hello", b"Jello"))
    assert case.statistics.counts["dkim-signing"].seen == case.statistics.counts["header-firewall"].seen == 1


def test_large_messages_in_pieces(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.key("s1")
    data = case.out(pieces(HEADER + BODY + b"a line\t of text \r\n" * 50_000, 10_007))
    assert case.verifies(data)
    assert case.verifies(case.out(pieces(HEADER + BODY, 5)))


def test_two_keys_make_two_signatures(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.key("s1")
    case.key("s2", ed25519=True)
    data = case.out(Content.of(HEADER + BODY))
    assert data.count(b"DKIM-Signature:") == 2 and b"a=ed25519-sha256" in data and case.verifies(data)


def test_nothing_is_touched_that_stays_inside(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.key("s1")
    for path in ("edge-to-hub", "hub-to-edge", "hub-to-hub"):
        assert case.out(Content.of(HEADER + BODY), NextHop(HopKind.HUB, ("hub1",), path)) == HEADER + BODY


def test_without_a_key_or_switched_off_it_goes_unsigned(tmp_path: Path) -> None:
    case = Case(tmp_path)
    without = HEADER.replace(b"X-Postern-Trust: yes\r\n", b"") + BODY
    assert case.out(Content.of(HEADER + BODY)) == without
    case = Case(tmp_path)
    case.key("s1")
    AgentFile(tmp_path).change(lambda state: state.enabled.update({"dkim-signing": False, "header-firewall": False}))
    assert case.out(Content.of(HEADER + BODY)) == HEADER + BODY


def test_a_hub_signs_too(tmp_path: Path) -> None:
    case = Case(tmp_path, on_edge=False)
    case.key("s1")
    assert case.verifies(case.out(Content.of(HEADER + BODY), NextHop(HopKind.SMTP, ("other.test",), "hub-to-internet")))


def test_a_broken_key_sends_unsigned(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.key("s1")
    (tmp_path / "secrets/dkim/corp.test/s1.pem").write_bytes(b"broken")
    assert not case.out(Content.of(HEADER + BODY)).startswith(b"DKIM-Signature")


def test_one_message_that_fails_does_not_stop_the_batch(tmp_path: Path) -> None:
    case = Case(tmp_path)

    class Unreadable(tuple[bytes, ...]):
        def __getitem__(self, index: object) -> bytes:  # type: ignore[override]  # as a segment that is gone
            raise OSError("gone")

    endless = pieces(b"X: y\r\n" * (MAX_HEADER // 2), 65_536)
    broken = Content(Unreadable((b"x",)), 1)
    batch = [parcel(endless, "Q1"), parcel(Content.of(HEADER + BODY), "Q2"), parcel(broken, "Q3")]
    outcomes = asyncio.run(case.agents.carry(OUT, batch))
    assert [(one[0].action, one[0].status) for one in outcomes] == [
        (Action.FAILED, "5.6.0"),
        (Action.RELAYED, "2.0.0"),
        (Action.DELAYED, "4.3.0"),
    ]
    assert outcomes[1][0].address == "Q2" and case.agents.max_batch == 7


@pytest.mark.parametrize(
    ("data", "header"),
    [(HEADER + BODY, HEADER), (BODY, b""), (HEADER, HEADER), (b"", b""), (b"A: b\r\n\r\n", b"A: b\r\n")],
)
def test_split(data: bytes, header: bytes) -> None:
    for size in (1, 3, 1000):
        found, body = split(pieces(data, size) if data else Content.of(b""))
        joined = b"".join(body.chunks[at] for at in range(len(body.chunks)))
        assert (found, joined) == (header, data[len(header) :]) and body.size == len(joined)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dkimproxy-verify") is None, reason="libmail-dkim-perl is not installed")
def test_mail_dkim_verifies_ours(tmp_path: Path) -> None:
    """By real DNS: the record as `postern domain dkim` prints it."""
    case = Case(tmp_path)
    case.key("s1")
    data = case.out(Content.of(HEADER + BODY))
    zone = {("s1._domainkey.corp.test", "TXT"): [case.ring.load("corp.test", "s1").record]}

    async def verify(message: bytes) -> str:
        async with serving(zone) as names:
            environment = {**os.environ, "RES_NAMESERVERS": "127.0.0.1", "RES_OPTIONS": f"port:{names.port}"}
            process = await asyncio.create_subprocess_exec(
                "dkimproxy-verify",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
            )
            said, _ = await process.communicate(message)
            return said.decode()

    assert "verify result: pass" in asyncio.run(verify(data))
    assert "verify result: fail" in asyncio.run(verify(data.replace(b"Hello", b"Jello")))
