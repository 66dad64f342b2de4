"""A message from an outbox to the queue: the mailbox server's notice, the hub's fetching, its checks, and what is refused.

covers: outbox
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from uuid import UUID, uuid5

import pytest

from postern.model.directory import Account, Recipient, RecipientType
from postern.model.folders import FolderKind
from postern.model.items import Column, NewItem
from postern.model.mail import Accepted, Content, Envelope, IntakeError, Origin
from postern.model.mailbox_server import Mailboxes
from postern.model.organization import Limits
from postern.net.door import Door
from postern.protocols.dcerpc.codecs import write_uuids
from postern.protocols.dcerpc.interfaces.endpoint import Endpoint
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_DELIVERY
from postern.services.mailbox.client import mailbox_client
from postern.services.mailbox.outbox import OutboxTaker
from postern.services.mailbox.peer import peer_of
from postern.services.mailbox.submission import SubmissionNotifier, SubmissionService
from postern.services.rpc.client import RpcClient, RpcError, RpcTarget
from postern.services.rpc.endpoint_mapper import EndpointMapper
from postern.services.rpc.server import RpcServer
from postern.store.database import MailboxDatabase
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker
from postern.transport.submission import NotAllowed
from postern.trust.authenticator import Authenticator
from postern.trust.host import HostCredentials
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import (
    DOMAIN,
    MAILBOX,
    ROWS,
    SERVER,
    MachineDirectory,
    initiators,
    may_call,
    serve,
)
from tests.support.ports import free_port

pytestmark = pytest.mark.slow
ALICE = "alice@example.test"
MESSAGE = (
    b"From: Alice <alice@example.test>\r\nTo: Bob <bob@example.test>, carol@other.test\r\nCc: =?utf-8?q?D=C3=A9?= <d@x.test>\r\n"
    b"Bcc: secret@example.test\r\nSubject: hello\r\n\r\nbody\r\n"
)


class People(MachineDirectory):
    def __init__(self) -> None:
        super().__init__()
        guid = MAILBOX
        self.is_disabled = False
        self.recipients_by_address[ALICE] = Recipient(guid, RecipientType.USER, "Alice", ALICE, (ALICE,), "mbx1")

    async def account(self, name: str) -> Account | None:
        if name == ALICE:
            return Account(
                uuid5(MAILBOX, name), ALICE, not self.is_disabled, False, "1", ALICE, ("sales@example.test",)
            )
        return await super().account(name)


class Queue:
    """An Intake that remembers, and refuses as often as it is told."""

    def __init__(self) -> None:
        self.taken: list[tuple[Envelope, bytes, Origin]] = []
        self.full = 0
        self.changed = asyncio.Condition()

    async def accept(self, envelope: Envelope, content: Content, origin: Origin) -> Accepted:
        if self.full:
            self.full -= 1
            raise IntakeError("full")
        async with self.changed:
            self.taken.append((envelope, content.bytes(), origin))
            self.changed.notify_all()
        return Accepted(f"q{len(self.taken)}")

    async def holds(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.taken) >= count)


@dataclass
class Chain:
    mailboxes: Mailboxes
    notifier: SubmissionNotifier
    taker: OutboxTaker
    queue: Queue
    hub: RpcTarget
    observed: Observed

    async def outbox(self) -> int:
        return next(f.id for f in await self.mailboxes.folders(MAILBOX) if f.kind is FolderKind.OUTBOX)

    async def send(self, content: bytes) -> None:
        await self.mailboxes.logon(MAILBOX)
        appended = await self.mailboxes.append(MAILBOX, await self.outbox(), [NewItem(content)])
        await self.mailboxes.submit(MAILBOX, appended.targets[0])
        self.notifier.submitted(MAILBOX)

    async def emptied(self) -> None:
        while await self.mailboxes.outbox(MAILBOX):  # noqa: ASYNC110 - a store has nothing to wait on
            await asyncio.sleep(0.01)


@asynccontextmanager
async def chain(
    mailboxes: Mailboxes, account: str = "MBX1$", waiting: list[UUID] | None = None, people: People | None = None
) -> AsyncIterator[Chain]:
    """A mailbox server and a hub on one host, but speaking NTLM over TCP as if they were on two."""
    directory, queue = people or People(), Queue()
    row = ROWS["mailbox-to-hub-submission"]
    async with serve(mailboxes) as served:
        client = mailbox_client(
            RpcClient(MAILBOX_DELIVERY, served.target("hub-to-mailbox-mapi", "HUB1$"), served.observed),
            MAILBOX_DELIVERY,
        )
        taker = OutboxTaker(
            *(
                {"mbx1": peer_of("mbx1", client)}.get,
                directory,
                queue,
                Tracker(None, "hub"),
                Limits(),
                "hub1.example.test",
                "example.test",
            )
        )
        taker.start()
        service = SubmissionService(row, taker, {"mbx1": "MBX1$"})
        acceptors = Authenticator(directory, HostCredentials("hub1", DOMAIN))
        port, mapper = free_port(), 0
        server = RpcServer([service], acceptors, may_call, served.observed, "HUB1$")
        door = Door([row], row.port("rpc"), server.session, None)
        await door.open("127.0.0.1", port)
        epm = RpcServer(
            [EndpointMapper([Endpoint(service.syntax, port)])], acceptors, may_call, served.observed, "HUB1$"
        )
        mapper_door = Door([row], row.port("epm"), epm.session, None)
        mapper = free_port()
        await mapper_door.open("127.0.0.1", mapper)
        hub = RpcTarget(row, "127.0.0.1", SERVER.fqdn, mapper, initiators(account))

        async def outboxes() -> list[UUID]:
            return waiting or []

        notifier = SubmissionNotifier("mbx1", [RpcClient(MAIL_SUBMISSION, hub, served.observed)], outboxes)
        notifier.start()
        try:
            yield Chain(mailboxes, notifier, taker, queue, hub, served.observed)
        finally:
            await notifier.close()
            await taker.close()
            await client.close()
            await door.close(0.5)
            await mapper_door.close(0.5)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 40))


def test_a_submitted_message_is_queued_with_the_headers_envelope() -> None:
    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            await c.send(MESSAGE)
            await c.queue.holds(1)
            await c.emptied()
            envelope, content, origin = c.queue.taken[0]
            assert envelope.sender == ALICE
            assert [r.address for r in envelope.recipients] == [
                "bob@example.test",
                "carol@other.test",
                "d@x.test",
                "secret@example.test",
            ]
            message = message_from_bytes(content)
            assert message["Bcc"] is None and b"secret" not in content
            assert message["Message-ID"].endswith("@hub1.example.test>") and message["Date"]
            assert "with MAPI" in message["Received"] and message.get_payload() == "body\r\n"
            assert (origin.path, origin.mechanism, origin.cipher) == ("hub-to-mailbox-mapi", "NTLM", "NTLM RC4-128")
            paths = {key[0] for key in c.observed._counts}
            assert {"mailbox-to-hub-submission", "hub-to-mailbox-mapi"} <= paths

    run(test)


def test_an_automatic_answer_has_no_reverse_path() -> None:
    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            await c.send(b"Auto-Submitted: Auto-Replied (away)\r\n" + MESSAGE)
            await c.send(b"Auto-Submitted: auto-generated\r\n" + MESSAGE)
            await c.queue.holds(2)
            assert [envelope.sender for envelope, _, _ in c.queue.taken] == ["", ALICE]

    run(test)


def test_bare_line_ends_do_not_leave_the_outbox() -> None:
    """What a mail client appended with LF alone is sent as lines of RFC 5322, and smuggles nothing."""

    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            await c.send(MESSAGE.replace(b"\r\n", b"\n") + b"\n.\r\nMAIL FROM:<x@x.test>\r.\n")
            await c.queue.holds(1)
            content = c.queue.taken[0][1].replace(b"\r\n", b"")
            assert b"\r" not in content and b"\n" not in content
            assert len(c.queue.taken[0][0].recipients) == 4

    run(test)


def test_a_message_that_is_sent_again_and_a_forged_result() -> None:
    """Its blind recipients get it unseen (RFC 5322 section 3.6.6), To does not; a user speaks no more for us than a stranger."""

    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            forged = b"Authentication-Results: hub1.example.test; dkim=pass\r\n"
            resent = b"Resent-From: alice@example.test\r\nResent-To: new@x.test\r\nResent-Bcc: blind@x.test\r\n"
            await c.send(resent + forged + MESSAGE)
            await c.queue.holds(1)
            envelope, content, _ = c.queue.taken[0]
            assert [r.address for r in envelope.recipients] == ["new@x.test", "blind@x.test"]
            assert b"Resent-To: new@x.test\r\n" in content and b"To: Bob <bob@example.test>" in content
            assert b"blind" not in content and b"secret" not in content and b"Authentication-Results" not in content

    run(test)


def test_recipients_are_those_that_imap_shows() -> None:
    """Comments nest as deep as they like (RFC 5322 section 3.2.2), groups have members, a mailbox may need its quotes; a name
    alone is one of the default domain, in the envelope and in the header (RFC 6409 section 4.2)."""

    async def test() -> None:
        deep = b"(" * 5000 + b")" * 5000
        fields = (
            b'To: bob@example.test %b, "a b"@example.test\r\nCc : Team: carol@other.test,\r\n\tDan <dan@other.test>;, '
            b'nobody\r\nBcc: tall@bar.test (6" tall), second@bar.test\r\n' % deep
        )
        async with chain(FakeMailboxes()) as c:
            await c.send(b"From: alice@example.test\r\n" + fields + b"\r\nbody\r\n")
            await c.queue.holds(1)
            await c.emptied()
            assert [r.address for r in c.queue.taken[0][0].recipients] == [
                "bob@example.test",
                '"a b"@example.test',
                "carol@other.test",
                "dan@other.test",
                "nobody@example.test",
                "tall@bar.test",
                "second@bar.test",
            ]
            message = message_from_bytes(c.queue.taken[0][1])
            assert "".join(message["Cc"].split()) == "Team:carol@other.test,Dan<dan@other.test>;,nobody@example.test"
            assert message["To"].startswith("bob@example.test (((")

    run(test)


def test_on_the_real_store_it_moves_to_sent_items(postgres_dsn: str) -> None:
    async def test() -> None:
        database = await MailboxDatabase.open(postgres_dsn)
        try:
            async with chain(database) as c:
                await c.send(MESSAGE)
                await c.send(MESSAGE.replace(b"hello", b"again"))
                await c.queue.holds(2)
                await c.emptied()
                kinds = {f.kind: f.messages for f in await database.folders(MAILBOX)}
                assert (kinds[FolderKind.OUTBOX], kinds[FolderKind.SENT]) == (0, 2)
        finally:
            await database.close()

    run(test)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (MESSAGE.replace(b"alice@example.test", b"boss@example.test"), b"send as"),
        (MESSAGE.replace(b"From: Alice <alice@example.test>\r\n", b""), b"send as"),
        (b"From: alice@example.test\r\nSubject: to nobody\r\n\r\n", b"no recipient"),
        (MESSAGE.replace(b"Bob <bob@", b"<Big bob@"), b"no address: Big bob@example.test"),
        (MESSAGE.replace(b"Bob <bob@example.test>", b"Big bob"), b"no address: Big bob"),
        (MESSAGE.replace(b"secret@example.test", b"secret@"), b"no address: secret"),
        (MESSAGE.replace(b"To:", b"X: y\r\n" * 2000 + b"To:"), b"2000 fields"),
        (MESSAGE.replace(b"From:", b"Sender: alice@example.test\r\nFrom: boss@example.test,"), b"send as"),
    ],
)
def test_what_is_refused_is_reported_into_the_senders_mailbox(content: bytes, words: bytes) -> None:
    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            await c.send(content)
            await c.emptied()
            assert c.queue.taken == []
            inbox = next(f.id for f in await c.mailboxes.folders(MAILBOX) if f.kind is FolderKind.INBOX)
            (report,) = (await c.mailboxes.fetch(MAILBOX, inbox, [(1, 9)], Column.CONTENT)).contents
            assert words in report and b"was not sent" in report

    run(test)


def test_poison_is_returned_to_its_author_and_what_lies_behind_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    from postern.services.mailbox import outbox

    monkeypatch.setattr(outbox, "_RETRY", 0.05)
    whole, tried = outbox.recipients, []

    def recipients(header: bytes, domain: str) -> tuple[list[str], bytes] | NotAllowed:
        if b"poison" in header:
            tried.append(1)
            raise RecursionError("maximum recursion depth exceeded")
        return whole(header, domain)

    monkeypatch.setattr(outbox, "recipients", recipients)

    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            await c.send(MESSAGE.replace(b"hello", b"poison"))
            await c.send(MESSAGE)
            await c.queue.holds(1)
            await c.emptied()
            assert len(tried) == 2
            assert [b"Subject: hello" in content for _, content, _ in c.queue.taken] == [True]
            inbox = next(f.id for f in await c.mailboxes.folders(MAILBOX) if f.kind is FolderKind.INBOX)
            (report,) = (await c.mailboxes.fetch(MAILBOX, inbox, [(1, 9)], Column.CONTENT)).contents
            assert b"was not sent" in report
            assert b"Its subject: poison" in report

    run(test)


def test_send_as_is_allowed_where_the_directory_says_so() -> None:
    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            await c.send(b"Sender: alice@example.test\r\n" + MESSAGE.replace(b"alice@", b"sales@"))
            await c.queue.holds(1)
            assert c.queue.taken[0][0].sender == ALICE

    run(test)


def test_a_delegate_sends_on_behalf_out_of_the_own_outbox() -> None:
    async def test() -> None:
        people = People()
        boss = "boss@example.test"
        people.recipients_by_address[boss] = Recipient(
            uuid5(MAILBOX, boss), RecipientType.USER, "Boss", boss, (boss,), "mbx1", delegates=(ALICE,)
        )
        async with chain(FakeMailboxes(), people=people) as c:
            for_boss = MESSAGE.replace(b"alice@", b"boss@")
            await c.send(b"Sender: alice@example.test\r\n" + for_boss)
            await c.queue.holds(1)
            envelope, content, _ = c.queue.taken[0]
            assert envelope.sender == ALICE and b"\r\nSender: alice@example.test\r\n" in content
            # Nothing says whose outbox it is but From and Sender.
            await c.send(for_boss)
            await c.emptied()
            assert len(c.queue.taken) == 1

    run(test)


@pytest.mark.parametrize("kind", [RecipientType.USER, RecipientType.ROOM])
def test_the_answers_of_a_room_leave_though_its_account_is_disabled(kind: RecipientType) -> None:
    async def test() -> None:
        people = People()
        people.is_disabled = True
        people.recipients_by_address[ALICE] = Recipient(MAILBOX, kind, "", ALICE, (ALICE,), "mbx1")
        async with chain(FakeMailboxes(), people=people) as c:
            await c.send(MESSAGE)
            await c.emptied()
            assert len(c.queue.taken) == (kind is RecipientType.ROOM)

    run(test)


def test_a_full_queue_leaves_the_message_in_the_outbox_and_it_goes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    from postern.services.mailbox import outbox

    monkeypatch.setattr(outbox, "_RETRY", 0.05)

    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            c.queue.full = 3
            await c.send(MESSAGE)
            await c.queue.holds(1)
            await c.emptied()
            assert len(c.queue.taken) == 1

    run(test)


def test_a_message_taken_twice_has_one_message_id() -> None:
    async def test() -> None:
        class Forgetful(FakeMailboxes):
            forgotten = asyncio.Event()

            async def submitted(self, mailbox: UUID, uid: int) -> None:
                if self.forgotten.is_set():
                    await super().submitted(mailbox, uid)
                self.forgotten.set()

        store = Forgetful()
        async with chain(store) as c:
            await c.send(MESSAGE)
            await store.forgotten.wait()
            c.notifier.submitted(MAILBOX)
            await c.queue.holds(2)
            first, second = (message_from_bytes(content)["Message-ID"] for _, content, _ in c.queue.taken)
            assert first == second

    run(test)


def test_what_waits_at_the_start_is_told_without_anybody_saying_so() -> None:
    async def test() -> None:
        store = FakeMailboxes()
        await store.logon(MAILBOX)
        outbox = next(f.id for f in await store.folders(MAILBOX) if f.kind is FolderKind.OUTBOX)
        appended = await store.append(MAILBOX, outbox, [NewItem(MESSAGE)])
        await store.submit(MAILBOX, appended.targets[0])
        async with chain(store, waiting=[MAILBOX]) as c:
            await c.queue.holds(1)

    run(test)


def test_a_server_speaks_for_itself_only() -> None:
    async def test() -> None:
        async with chain(FakeMailboxes()) as c:
            notice = ("mbx1", write_uuids([MAILBOX]))
            ours = RpcClient(MAIL_SUBMISSION, c.hub, c.observed)
            assert await ours.call("notify", notice) == [0]
            for server, account in (("mbx2", "MBX1$"), ("mbx1", "HUB1$"), ("mbx1", "CAS1$")):
                target = RpcTarget(c.hub.row, c.hub.host, c.hub.fqdn, c.hub.mapper, initiators(account))
                other = RpcClient(MAIL_SUBMISSION, target, c.observed)
                with pytest.raises(RpcError) as refused:
                    await other.call("notify", (server, notice[1]))
                assert refused.value.status == 5
                await other.close()
            await ours.close()

    run(test)
