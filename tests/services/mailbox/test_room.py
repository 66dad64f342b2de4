"""Whether a mailbox has room is asked at RCPT: who still has the message hears it, and nobody waits for a server that is away.

covers: services.smtp.recipients
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from postern.model.delivery import Delivery
from postern.model.directory import Recipient, RecipientType
from postern.model.mailbox import MailboxError
from postern.model.security import Peer
from postern.paths.guard import Offer
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_DELIVERY
from postern.protocols.smtp.reply import Reply
from postern.services.mailbox.client import mailbox_client
from postern.services.mailbox.peer import MailboxPeer, peer_of
from postern.services.mailbox.room import PLENTY, MailboxRoom, Space
from postern.services.rpc.client import RpcClient
from postern.services.smtp.recipients import judge
from postern.services.smtp.session import Session
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import serve
from tests.services.smtp_doors import SmtpDoors
from tests.services.talk import Talk, talk

MB = 1_048_576
BOB = Recipient(uuid4(), RecipientType.USER, "Bob", "bob@x.test", ("bob@x.test",), "mbx1", quota=1000)


class Server:
    """A mailbox server's client: what its mailboxes hold, and how often it was asked."""

    def __init__(self, **used: int) -> None:
        self.holds = {BOB.guid: used.get("bob", 0)}
        self.asked = 0
        self.away = False

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        self.asked += 1
        if self.away:
            raise MailboxError("UNAVAILABLE", "no answer in time")
        return [self.holds.get(one, 0) for one in mailboxes]


class Asked:
    """A MailboxRoom with a clock of its own."""

    def __init__(self, server: Server | None, quota: int = 0) -> None:
        self.now = 50.0
        peer = None if server is None else MailboxPeer("mbx1", "", "", server)  # type: ignore[arg-type]  # as much of mailboxes as is used
        self.room = MailboxRoom(lambda name: peer if name == "mbx1" else None, quota, lambda: self.now)

    def full(self, recipient: Recipient = BOB, size: int = 0) -> bool:
        return self.space(recipient, size) is Space.FULL

    def space(self, recipient: Recipient = BOB, size: int = 0) -> Space:
        answer = self.room.space(recipient, size)
        if isinstance(answer, Space):
            return answer

        async def wait() -> Space:
            return await answer

        return asyncio.run(wait())


@pytest.mark.parametrize(
    ("used", "size", "full"), [(999, 0, False), (1000, 0, True), (400, 600, False), (400, 601, True)]
)
def test_a_message_fits_or_does_not(used: int, size: int, full: bool) -> None:
    assert Asked(Server(bob=used)).full(size=size) is full


def test_plenty_is_room_for_any_message_whatever_was_announced() -> None:
    server = Server()
    asked, roomy = Asked(server), replace(BOB, quota=PLENTY + 2)
    assert asked.space(roomy, PLENTY) is Space.PLENTY
    assert asked.space(roomy, PLENTY + 1) is Space.ENOUGH
    server.holds[BOB.guid] = 2
    asked.now += 301
    assert asked.space(roomy) is Space.ENOUGH
    server.away = True
    assert Asked(server).space(roomy) is Space.ENOUGH
    assert asked.space(replace(BOB, quota=0)) is Space.PLENTY


def test_who_has_no_bound_or_no_mailbox_here_is_not_asked_about() -> None:
    server = Server(bob=5000)
    asked = Asked(server)
    assert not asked.full(replace(BOB, quota=0))
    assert not asked.full(replace(BOB, database=""))
    assert not asked.full(replace(BOB, database="mbx9"))
    assert not asked.full(replace(BOB, forward_to="else@x.test"))
    assert server.asked == 0
    assert asked.full(replace(BOB, forward_to="else@x.test", deliver_and_forward=True))
    assert Asked(server, quota=4000).full(replace(BOB, quota=0))


def test_an_answer_is_remembered_and_full_only_for_seconds() -> None:
    server = Server(bob=1000)
    asked = Asked(server)
    assert asked.full() and asked.full() and server.asked == 1
    server.holds[BOB.guid] = 0
    asked.now += 11
    assert not asked.full() and server.asked == 2
    assert not asked.full() and server.asked == 2
    asked.now += 11
    assert not asked.full() and server.asked == 3


def test_a_roomy_mailbox_is_asked_about_rarely_but_its_fullness_is_never_old() -> None:
    server = Server(bob=10 * MB)
    asked, roomy = Asked(server), replace(BOB, quota=100 * MB)
    for _ in range(20):
        assert not asked.full(roomy)
        asked.now += 14
    assert server.asked == 1
    server.holds[BOB.guid] = 0
    assert not asked.full(roomy, 95 * MB) and server.asked == 2
    assert asked.full(replace(roomy, quota=0, forward_to="")) is False  # no bound
    assert asked.full(roomy, 101 * MB)


def test_a_server_that_is_away_says_nothing_against_a_message_and_holds_up_one_only() -> None:
    server = Server(bob=1000)
    server.away = True
    asked = Asked(server)
    assert not asked.full() and not asked.full() and server.asked == 1
    server.away = False
    asked.now += 11
    assert asked.full() and server.asked == 2


def test_over_the_real_path_and_when_it_ends() -> None:
    async def run() -> None:
        store = FakeMailboxes()
        await store.logon(BOB.guid)
        await store.deliver([Delivery("one", b"x" * (600 - len("Return-Path: <>\r\n")), [BOB.guid])])
        async with serve(store) as served:
            rpc = RpcClient(MAILBOX_DELIVERY, served.target("hub-to-mailbox-mapi"), served.observed)
            client = mailbox_client(rpc, MAILBOX_DELIVERY)
            assert await client.used([uuid4(), BOB.guid]) == [0, 600]
            room = MailboxRoom({"mbx1": peer_of("mbx1", client)}.get)
            answer = room.space(BOB, 401)
            assert not isinstance(answer, Space) and await answer is Space.FULL
            assert room.space(BOB, 401) is Space.FULL and room.space(BOB, 400) is Space.ENOUGH
        late = MailboxRoom({"mbx1": peer_of("mbx1", client)}.get).space(BOB, 401)
        assert not isinstance(late, Space) and await late is Space.ENOUGH
        await client.close()

    asyncio.run(asyncio.wait_for(run(), 30))


class Full:
    """Bob's mailbox has no room, and that of all others some."""

    def space(self, recipient: Recipient, size: int) -> Any:
        async def later() -> Space:
            return Space.FULL if size > 500 else Space.ENOUGH

        return Space.FULL if recipient.primary.startswith("bob") else later()


def test_the_sender_hears_it_at_rcpt_and_others_get_the_message() -> None:
    async def run() -> None:
        doors = SmtpDoors()
        doors.room = Full()
        try:
            async with talk(await doors.open("internet-to-hub")) as say:
                await say.reply()
                await say.ask("EHLO client.test")
                assert (await say.ask("MAIL FROM:<x@remote.test> SIZE=500")).startswith("250")
                assert (await say.ask("RCPT TO:<bob@example.test>")).startswith("452 4.2.2")
                assert (await say.ask("RCPT TO:<alice@example.test>")).startswith("250 2.1.5")
                assert (await say.ask("RCPT TO:<nobody@example.test>")).startswith("550 5.1.1")
                assert (await say.ask("DATA")).startswith("354")
                assert (await say.ask(b"Subject: one\r\n\r\nText\r\n.\r\n")).startswith("250")
                assert (await say.ask("MAIL FROM:<x@remote.test> SIZE=501")).startswith("250")
                assert (await say.ask("RCPT TO:<alice@example.test>")).startswith("452 4.2.2")
            ((envelope, _, _),) = doors.queue.taken
            assert [one.address for one in envelope.recipients] == ["alice@example.test"]
        finally:
            await doors.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_more_than_was_announced_is_refused_while_its_sender_still_listens() -> None:
    """A report goes to whom the sender claims to be; a 452 to him who sends. Where one has room the message is taken."""

    class Small:
        def space(self, recipient: Recipient, size: int) -> Space:
            if not recipient.primary.startswith("bob"):
                return Space.PLENTY
            return Space.FULL if size > 3_000 else Space.ENOUGH

    async def send(say: Talk, announced: str, *names: str) -> str:
        await say.ask("MAIL FROM:<x@remote.test>" + announced)
        for name in names:
            assert (await say.ask(f"RCPT TO:<{name}@example.test>")).startswith("250")
        await say.ask("DATA")
        return await say.ask(b"Subject: one\r\n\r\n" + b"x" * 70 * 50 + b"\r\n.\r\n")

    async def run() -> None:
        doors = SmtpDoors()
        doors.room = Small()
        try:
            async with talk(await doors.open("internet-to-hub")) as say:
                await say.reply()
                await say.ask("EHLO client.test")
                assert (await send(say, "", "bob")).startswith("452 4.2.2")
                assert (await send(say, " SIZE=900", "bob")).startswith("452 4.2.2")
                assert not doors.queue.taken
                assert (await send(say, "", "bob", "alice")).startswith("250")
                assert (await send(say, "", "alice")).startswith("250")
        finally:
            await doors.close()

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize(
    ("row", "code"),
    [("internet-to-hub", 452), ("client-to-hub-smtp", 452), ("edge-to-hub", 250), ("hub-to-hub", 250)],
)
def test_what_our_own_servers_bring_is_acknowledged_already(row: str, code: int) -> None:
    """Its sender gets one report from the delivery, at once, and not after two days of trying."""
    doors = SmtpDoors()
    doors.room = Full()
    try:
        connector = doors.connector([doors.rows["internet-to-hub"]])
        session = Session(Peer("127.0.0.1", 1), None, doors.rows[row], Offer(False, (), False), row)
        reply = judge(connector, session, "bob@example.test", 0, trusted=True)
        assert isinstance(reply, Reply) and reply.code == code
    finally:
        doors.authenticator.close()
        doors.spool.cleanup()
