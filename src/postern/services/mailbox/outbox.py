"""The hub's side of mail submission takes messages out of an outbox, checks and completes them as SMTP submission does, and
queues them.

The envelope is made from the header. The owner of From (or Sender) must be the mailbox itself. To, Cc and Bcc are the recipients
(those of a resending, if it is one); a recipient without a domain gets the default domain. Bcc is taken out
(`transport.submission`). A refused message is reported into the sender's own mailbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from uuid import UUID, uuid4, uuid5

from postern.model.delivery import Delivery
from postern.model.directory import DirectoryUnavailable, RecipientType
from postern.model.domains import fold
from postern.model.folders import FolderKind
from postern.model.items import Column
from postern.model.mail import BodyType, Content, Envelope, EnvelopeRecipient, Intake, IntakeError, Origin
from postern.model.mailbox import MailboxError
from postern.model.organization import Limits, Organization
from postern.protocols.authentication.results import without_claims
from postern.protocols.mime.address import address_list
from postern.protocols.mime.header import MAX_HEADER, first_value, has_too_many_fields, parse_fields, split_section
from postern.protocols.mime.line_ends import with_line_ends
from postern.protocols.mime.words import decode_words
from postern.protocols.smtp.address import parse_mailbox
from postern.services.mailbox.peer import MailboxPeer, OutboxMailboxes
from postern.services.senders import SenderDirectory, fixed_for, submitter_of
from postern.telemetry.attempts import attempt, forget, given_up, strike
from postern.telemetry.log import Event, log
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep
from postern.transport.submission import TOO_MANY_FIELDS, NotAllowed, Submitter, fix_header, recipients

MAX_NOTED = 10_000
WORKERS = 4
_RETRY = 5.0
_NO_RECIPIENTS = NotAllowed(554, "5.5.1", "The message names no recipient that can be understood")
_NOT_YOURS = NotAllowed(550, "5.7.1", "Neither From nor Sender names you. To send as another, name yourself in Sender")
_TOO_MANY = NotAllowed(452, "5.5.3", "The message names too many recipients")
_TOO_LARGE = NotAllowed(552, "5.3.4", "The message is too large")
_MAX_SUBJECT = 4000
_POISON = NotAllowed(
    554,
    "5.6.0",
    "This server could not work on it, twice. It is in Sent Items, but nobody got it: write it anew, in a simpler form",
)
_SPACE = UUID("a3c5a0de-0f0c-4d8e-8d75-5e0d4b6d4a11")

Key = tuple[str, UUID]


class OutboxTaker:
    """Takes messages out of outboxes; a hub process has one taker. `peer` finds a mailbox server by its name; `fqdn` stands in
    Message-IDs and trace lines; recipients without a domain get `domain`; only we may speak for `own_names`
    (`Organization.own_names`), which `reorganize` replaces."""

    def __init__(
        self,
        peer: Callable[[str], MailboxPeer[OutboxMailboxes] | None],
        directory: SenderDirectory,
        intake: Intake,
        tracker: Tracker,
        limits: Limits,
        fqdn: str,
        domain: str,
        own_names: frozenset[str] = frozenset(),
    ) -> None:
        self._peer = peer
        self._directory = directory
        self._intake = intake
        self._tracker = tracker
        self._limits = limits
        self._fqdn = fqdn
        self._domain = domain
        self._own_names = own_names | {fqdn.lower()}
        self._noted: dict[Key, None] = {}
        self._active: set[Key] = set()
        self._wake = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    def reorganize(self, organization: Organization) -> None:
        """Takes over the names of a changed organization."""
        self._own_names = organization.own_names() | {self._fqdn.lower()}

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work()) for _ in range(WORKERS)]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def noted(self, server: str, mailboxes: Sequence[UUID]) -> bool:
        """Notes mailboxes whose outbox holds something; False if there is too much to do already."""
        if len(self._noted) + len(mailboxes) > MAX_NOTED:
            return False
        self._noted.update(dict.fromkeys((server, mailbox) for mailbox in mailboxes))
        self._awake()
        return True

    def _awake(self) -> None:
        async def tell() -> None:
            async with self._wake:
                self._wake.notify_all()

        self._telling = asyncio.get_running_loop().create_task(tell())

    def _next(self) -> Key | None:
        """The next mailbox that no task works on, so that the messages of a mailbox leave in order."""
        return next((key for key in self._noted if key not in self._active), None)

    async def _work(self) -> None:
        while True:
            async with self._wake:
                while (key := self._next()) is None:
                    await self._wake.wait()
                del self._noted[key]
                self._active.add(key)
            try:
                done = await self._take(*key)
            except Exception as error:
                # The notifier names the mailbox again when it looks at the outboxes; others do not wait for this one.
                log(Event.CONVERSATION_FAILED, conversation="outbox", error=repr(error), exc_info=error)
                done = True
            finally:
                self._active.discard(key)
            if not done:
                asyncio.get_running_loop().call_later(_RETRY, self.noted, key[0], [key[1]])
            elif key in self._noted:
                self._awake()

    async def _take(self, server: str, mailbox: UUID) -> bool:
        """Takes every message of one outbox; False if it has to be tried again."""
        peer = self._peer(server)
        if peer is None:
            return True
        try:
            uids = await peer.mailboxes.outbox(mailbox)
            if not uids:
                return True
            folders = await peer.mailboxes.folders(mailbox)
            outbox = next(folder.id for folder in folders if folder.kind is FolderKind.OUTBOX)
            # Where only the hub's own work on a message fails, the messages behind it go on.
            taken = [await self._take_one(peer, mailbox, outbox, uid) for uid in uids]
        except (MailboxError, IntakeError, DirectoryUnavailable, StopIteration) as error:
            log(Event.DEFERRED, path=peer.path, peer=server, diagnostic=str(error))
            return False
        return all(taken)

    async def _take_one(self, peer: MailboxPeer[OutboxMailboxes], mailbox: UUID, outbox: int, uid: int) -> bool:
        """Takes one message of an outbox; False if it has to be tried again, because it raised an unexpected exception."""
        items = await peer.mailboxes.fetch(mailbox, outbox, [(uid, uid)], Column.CONTENT)
        if items.contents:
            try:
                await self._queue(peer, mailbox, uid, items.contents[0])
            except (MailboxError, IntakeError, DirectoryUnavailable):
                raise
            except Exception as error:
                log(Event.CONVERSATION_FAILED, conversation="outbox", error=repr(error), exc_info=error)
                strike(_key(mailbox, uid), error)
                return False
        await peer.mailboxes.submitted(mailbox, uid)
        forget(_key(mailbox, uid))
        return True

    async def _queue(self, peer: MailboxPeer[OutboxMailboxes], mailbox: UUID, uid: int, content: bytes) -> None:
        now = time.time()
        struck = given_up(_key(mailbox, uid))
        made = _POISON if struck is not None else await self._make(mailbox, uid, content, now)
        if isinstance(made, NotAllowed):
            if struck is not None:
                log(Event.SET_ASIDE, mailbox=str(mailbox), uid=uid, words=struck.why)
            subject = _bare_subject(content) if struck is not None else _subject(content)
            report = _report(made, subject, self._fqdn, now)
            await peer.mailboxes.deliver([Delivery(f"refused/{mailbox.hex}/{uid}", report, (mailbox,), "", int(now))])
            log(Event.BOUNCED, path=peer.path, diagnostic=made.text)
            return
        envelope, data = made
        mechanism, cipher = peer.proof()
        origin = Origin(peer.path, peer.fqdn, peer.fqdn, envelope.sender, mechanism, "MAPI", cipher)
        accepted = await self._intake.accept(envelope, Content.of(data), origin)
        self._tracker.record(
            TrackingRecord(
                TrackingStep.SUBMIT,
                accepted.message_id,
                accepted.queue_id,
                origin.path,
                origin.client,
                origin.mechanism,
                origin.cipher,
                envelope.sender,
                envelope.addresses,
            )
        )

    async def _make(self, mailbox: UUID, uid: int, content: bytes, now: float) -> tuple[Envelope, bytes] | NotAllowed:
        """Makes the envelope and the message to be queued, or says why the message is refused."""
        if len(content) > self._limits.message_size:
            return _TOO_LARGE
        key = _key(mailbox, uid)
        with attempt(key):
            # Clients may append a bare CR or LF, which SMTP would refuse: it never leaves us.
            content = with_line_ends(content)
            header, rest = split_section(content)
            if len(header) > MAX_HEADER:
                return _TOO_LARGE
            if has_too_many_fields(header):
                return TOO_MANY_FIELDS
            authors = (*_addresses(header, b"sender"), *_addresses(header, b"from"))[:20]
            header = without_claims(header, self._own_names)  # as `ReceiveConnector.without_our_word`
            named = recipients(header, self._domain)
        submitter = await self._submitter(mailbox, authors)
        if submitter is None:
            return _NOT_YOURS
        if isinstance(named, NotAllowed):
            return named
        people, header = named
        if not people:
            return _NO_RECIPIENTS
        if len(people) > self._limits.recipients:
            return _TOO_MANY
        # An item that is taken twice gets the same Message-ID each time.
        unique = uuid5(_SPACE, f"{mailbox}/{uid}").hex

        def fix(sender: Submitter) -> bytes | NotAllowed:
            with attempt(key):
                return fix_header(header, sender, now, unique, self._fqdn)

        fixed = await fixed_for(self._directory, submitter, fix)
        if isinstance(fixed, NotAllowed):
            return fixed
        ascii_only = content.isascii()
        addresses = all(map(str.isascii, (submitter.primary, *people)))
        # Nobody is told that an automatic answer did not arrive (RFC 3834 section 3.3).
        envelope = Envelope(
            "" if _automatic(header) else submitter.primary,
            tuple(EnvelopeRecipient(address) for address in people),
            BodyType.SEVEN_BIT if ascii_only else BodyType.EIGHT_BIT_MIME,
            not addresses or not header.isascii(),
        )
        trace = f"Received: from mailbox by {self._fqdn} (Postern) with MAPI;\r\n\t{formatdate(now)}\r\n".encode()
        return envelope, trace + fixed + (rest or b"\r\n")

    async def _submitter(self, mailbox: UUID, authors: Sequence[str]) -> Submitter | None:
        """The owner of the mailbox; None unless Sender or From names the owner, whose account is enabled. Nobody logs on to a
        room, whose account is disabled: what is in its outbox was written by its attendant."""
        for address in authors:
            recipient = await self._directory.recipient(fold(address))
            if recipient is not None and recipient.guid == mailbox:
                account = await self._directory.account(recipient.primary)
                if account is None or not (account.enabled or recipient.type is RecipientType.ROOM):
                    return None
                return submitter_of(account, recipient)
        return None


def _addresses(header: bytes, *names: bytes) -> list[str]:
    """Addresses of these fields in order, each once."""
    fields = parse_fields(header, 0, len(header)).ordered
    values = [value for wanted in names for name, value in fields if name == wanted]
    parsed = (parse_mailbox(entry.spec) for value in values for entry in address_list(value)[0] if entry.complete)
    return list(dict.fromkeys(address for address in parsed if address))


def _automatic(header: bytes) -> bool:
    """Whether a message answers another one by itself (RFC 3834 section 5)."""
    value = first_value(header, b"auto-submitted") or b""
    return value.replace(b";", b" ").lower().split(maxsplit=1)[:1] == [b"auto-replied"]


def _key(mailbox: UUID, uid: int) -> str:
    """The key under which attempts at an item of an outbox are marked and counted."""
    return f"outbox/{mailbox.hex}/{uid}"


def _subject(content: bytes) -> str:
    header, _ = split_section(content)
    subject = decode_words(parse_fields(header, 0, len(header)).named.get(b"subject", b"")[:_MAX_SUBJECT])
    return " ".join(subject.split())[:200]


def _bare_subject(content: bytes) -> str:
    """Returns the first line of the Subject without parsing the message: its full parsing has just failed.

    Bound: linear in the first 65,536 octets; at most 200 characters.
    """
    start = b"\n" + content[:65_536]
    at = start.lower().find(b"\nsubject:")
    line = start[at + 9 : at + 209].partition(b"\n")[0] if at >= 0 else b""
    return "".join(c for c in line.decode("ascii", "replace") if c.isprintable()).strip()


def _report(refused: NotAllowed, subject: str, fqdn: str, now: float) -> bytes:
    """A note to the sender. It stays within the mailbox, so it is no delivery report of RFC 3464."""
    return (
        f"From: Mail Delivery System <postmaster@{fqdn}>\r\n"
        "Subject: Your message was not sent\r\n"
        f"Date: {formatdate(now)}\r\n"
        f"Message-ID: <{int(now * 1000)}.{uuid4().hex}@{fqdn}>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        "\r\n"
        f"Your message was not sent: {refused.text} ({refused.enhanced}).\r\n"
        f"Its subject: {subject}\r\n"
    ).encode("utf-8", "replace")
