"""Sends messages: the item goes to the sender's outbox and is submitted, as a client of MAPI does it (MS-OXOMSG section 3.2.4).

A hub takes it from there and judges the sender again. Properties of the item say what then becomes of it, and the store obeys
them when the hub has it: it goes to Sent Items, to the folder of PidTagSentMailEntryId, or away with PidTagDeleteAfterSubmit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from uuid import uuid4

from postern.items import conversations
from postern.items.mail_content import MailContent
from postern.items.message_properties import DELETE_AFTER_SUBMIT, SENT_FOLDER
from postern.items.properties import Property, Value
from postern.model.directory import Recipient
from postern.model.edits import NOTHING_BESIDE, Beside
from postern.model.folders import FolderKind, Right, is_class
from postern.model.items import MESSAGE, Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.protocols.mime.header import MAX_HEADER, count_fields
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.editing import bag_of, new_bag
from postern.services.ews.item_view import ItemView, Need, load_one
from postern.services.ews.places import Place
from postern.services.scheduling.aside import AT_ONCE
from postern.services.senders import fixed_for, submitter_of
from postern.transport.submission import TOO_MANY_FIELDS, NotAllowed, Submitter, fix_header, recipients

MAX_RECIPIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Copy:
    """The fate of a sent message: whether it is kept, and where; `place` None: in Sent Items."""

    is_kept: bool = True
    place: Place | None = None


async def send(
    call: Call,
    message: MailContent,
    copy: Copy,
    bag: Mapping[Property, Value | None] | None = None,
    item_class: str = MESSAGE,
) -> None:
    """Sends a message that is nowhere yet; what is of no class of messages becomes a plain one. Raises EwsError:
    ErrorMissingRecipients, ErrorSendAsDenied, ErrorAccessDenied; MailboxError."""
    own = await call.own()
    await own.nodes()
    octets = await _prepared(call, own, message)
    outbox = await own.of_kind(FolderKind.OUTBOX)
    if not is_class(item_class, MESSAGE):
        item_class = MESSAGE
    away = await _copied_elsewhere(own, copy, octets, item_class)
    ids: list[int] = []
    try:
        new = NewItem(octets, Flag.SEEN, item_class=item_class)
        held = await new_bag(own, {**(bag or {}), **_fate(own, copy)})
        ids = await own.store.create_with(own.id, outbox.id, [new], held)
        await own.store.send(own.id, ids[0], NOTHING_BESIDE)
    except (MailboxError, EwsError):
        await own.store.delete(own.id, ids)
        if away is not None and copy.place is not None:
            # Who may create there may not delete, but it was made just now.
            await copy.place.mailbox.server.items.delete(copy.place.mailbox.id, [away])
        raise


async def send_stored(call: Call, item: ItemId, copy: Copy, known: int | None = None) -> None:
    """Sends a message that is stored, as a draft is; `known` is the number of its change that the client knows. Raises EwsError:
    ErrorItemNotFound, ErrorStaleObject, ErrorInvalidItemForOperationSendItem, and as `send` does."""
    view = await load_one(call, item, Need.CONTENT)
    mailbox = view.mailbox
    if not is_class(view.stored.item_class, MESSAGE):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_SEND_ITEM)
    if known is not None and view.stored.change > known:
        raise EwsError(Code.STALE_OBJECT)
    own = await call.own()
    message = MailContent(view.content or b"")
    if mailbox.id != own.id:
        await mailbox.demand_delete([item.item])
        await send(call, message, copy, item_class=view.stored.item_class)
        await mailbox.store.delete(mailbox.id, [item.item])
        return
    await _send_own(call, own, view, message, copy)


async def _send_own(call: Call, own: Mailbox, view: ItemView, message: MailContent, copy: Copy) -> None:
    octets = await _prepared(call, own, message)
    beside = Beside((view.stored.flags | Flag.SEEN) & ~Flag.DRAFT, await bag_of(own, _fate(own, copy)))
    away = await _copied_elsewhere(own, copy, octets, view.stored.item_class)
    try:
        other = octets if octets != view.content else None
        await own.store.send(own.id, view.stored.id, beside, other, view.stored.change)
    except (MailboxError, EwsError):
        if away is not None and copy.place is not None:
            # Who may create there may not delete, but it was made just now.
            await copy.place.mailbox.server.items.delete(copy.place.mailbox.id, [away])
        raise


def _fate(own: Mailbox, copy: Copy) -> dict[Property, Value | None]:
    """The properties by which the store knows what becomes of the item. Both are named each time: a draft may have one of another
    program, or of a time at which it was to go elsewhere."""
    if not copy.is_kept or (copy.place is not None and copy.place.mailbox.id != own.id):
        return {DELETE_AFTER_SUBMIT: True, SENT_FOLDER: None}
    if copy.place is None or copy.place.node.kind is FolderKind.SENT:
        return {DELETE_AFTER_SUBMIT: None, SENT_FOLDER: None}
    return {DELETE_AFTER_SUBMIT: None, SENT_FOLDER: copy.place.node.id.to_bytes(8, "big")}


async def _copied_elsewhere(own: Mailbox, copy: Copy, octets: bytes, item_class: str) -> int | None:
    """Puts the copy into a folder of somebody else, if it is to go there, and returns its id."""
    place = copy.place
    if not copy.is_kept or place is None:
        return None
    if place.node.id <= 0:
        raise EwsError(Code.SAVED_ITEM_FOLDER_NOT_FOUND)
    if place.mailbox.id == own.id:
        return None
    await place.mailbox.nodes()
    place.mailbox.demand(place.node, Right.CREATE)
    new = NewItem(octets, Flag.SEEN, item_class=item_class)
    (number,) = await place.mailbox.store.create(place.mailbox.id, place.node.id, [new])
    return number


async def _prepared(call: Call, own: Mailbox, message: MailContent) -> bytes:
    """The octets of a message that is about to be sent: with its author, its time, and an id of its own."""
    me = own.recipient
    _demand_recipients(message.header, me.primary.rpartition("@")[2])
    if count_fields(message.header, b"from") < 2 and not message.people("From"):
        message.set_people("From", [(me.display_name, me.primary)])
    submitter = await _permitted(call, me, message.header)
    if all(submitter.may_send_as(author.address) for author in message.people("From")):
        message.set_people("Sender", [])
    else:
        # RFC 5322 section 3.6.2: who sends for another stands in Sender.
        message.set_people("Sender", [(me.display_name, me.primary)])
    if not message.raw("Message-ID"):
        message.set_text("Message-ID", f"<{uuid4()}@{me.primary.rpartition('@')[2]}>")
    if not message.raw("Thread-Topic") and (topic := conversations.topic_of(message.text("Subject"))):
        message.set_text("Thread-Topic", topic)
    message.set_text("Date", formatdate(time.time(), localtime=False).replace("-0000", "+0000"))
    return await asyncio.to_thread(message.octets) if message.size > AT_ONCE else message.octets()


def _demand_recipients(header: bytes, domain: str) -> None:
    """Raises EwsError for a message that the hub could bring to nobody, or not to all: ErrorMissingRecipients,
    ErrorInvalidRecipients; ErrorMessageSizeExceeded for a header that it does not read."""
    if len(header) > MAX_HEADER:
        raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
    named = recipients(header, domain)
    if isinstance(named, NotAllowed):
        raise EwsError(Code.INVALID_RECIPIENTS, named.text)
    if not named[0]:
        raise EwsError(Code.MISSING_RECIPIENTS)
    if len(named[0]) > MAX_RECIPIENTS:
        raise EwsError(Code.INVALID_RECIPIENTS, f"A message has at most {MAX_RECIPIENTS} recipients.")


async def _permitted(call: Call, me: Recipient, header: bytes) -> Submitter:
    """Judges From, Sender and the fields of resendings by the rule of submission, as the hub does again, and returns the caller
    with the addresses under which he sends as himself. Raises EwsError: ErrorSendAsDenied, ErrorMessageSizeExceeded."""
    directory = call.access.directory
    submitter = submitter_of(await directory.account(me.primary), me)

    def fix(sender: Submitter) -> bytes | NotAllowed:
        return fix_header(header, sender, 0.0, "", call.access.host)

    fixed = await fixed_for(directory, submitter, fix)
    if isinstance(fixed, NotAllowed):
        code = Code.MESSAGE_SIZE_EXCEEDED if fixed is TOO_MANY_FIELDS else Code.SEND_AS_DENIED
        raise EwsError(code, fixed.text)
    return submitter
