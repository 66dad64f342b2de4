"""Replies to messages, and messages that are forwarded (MS-OXWSCORE section 2.2.4.37, SmartResponseType)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate

from postern.items import quoting
from postern.items.appointment import ITEM_CLASS as APPOINTMENT
from postern.items.mail_content import MAX_ATTACHMENTS, Attached, Form, MailContent
from postern.items.quoting import Quoted
from postern.model.domains import fold
from postern.model.folders import FolderKind, is_class
from postern.model.items import MESSAGE, Flag
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import change_key
from postern.protocols.ews.names import element, t
from postern.protocols.ews.times import FIRST, LAST
from postern.protocols.mime.address import Address
from postern.protocols.mime.dates import parse_date
from postern.protocols.mime.words import decode_words
from postern.services.ews import meeting_messages
from postern.services.ews.access import Call
from postern.services.ews.editing import Disposition, How
from postern.services.ews.item_view import ItemView
from postern.services.ews.mail_editor import MailEditor, read_body
from postern.services.ews.places import Place, referred

_FIELDS = {
    "Subject": MailEditor.set_subject,
    "ToRecipients": MailEditor.set_to,
    "CcRecipients": MailEditor.set_cc,
    "BccRecipients": MailEditor.set_bcc,
    "IsReadReceiptRequested": MailEditor.set_read_receipt,
    "IsDeliveryReceiptRequested": MailEditor.set_delivery_receipt,
    "From": MailEditor.set_from,
}
_READ_APART = ("Body", "NewBodyContent", "ReferenceItemId", "ReceivedBy", "ReceivedRepresenting")


async def reply(call: Call, asked: xml.Element, how: How) -> str:
    view, original = await _original(call, asked)
    return await _answer(call, asked, how, view, _reply(call, view, original, is_to_all=False), Flag.ANSWERED)


async def reply_all(call: Call, asked: xml.Element, how: How) -> str:
    view, original = await _original(call, asked)
    return await _answer(call, asked, how, view, _reply(call, view, original, is_to_all=True), Flag.ANSWERED)


async def forward(call: Call, asked: xml.Element, how: How) -> str:
    view, original = await _original(call, asked)
    message = MailContent()
    message.set_text("Subject", quoting.forward_subject(original.text("Subject")))
    _join(message, original, is_reply=False)
    attached = await asyncio.to_thread(_attached, original)
    invitation = await asyncio.to_thread(meeting_messages.invitation_file, view)
    # A meeting that is forwarded can be accepted by whoever gets it.
    return await _answer(call, asked, how, view, message, Flag(0), [*attached, *([invitation] if invitation else [])])


async def suppress_receipt(call: Call, asked: xml.Element, how: How) -> str:
    """Marks a message as one whose read receipt was settled: it is read, and nobody is told (MS-OXWSCDATA section 2.2.4.46)."""
    view, _ = await _original(call, asked)
    await view.mailbox.mark([view.stored], Flag.SEEN, True)
    return "<m:Items/>"


async def _original(call: Call, asked: xml.Element) -> tuple[ItemView, MailContent]:
    """The message that is answered, as it stands now, whatever change the client knows. Raises EwsError:
    ErrorMissingInformationReferenceItemId, ErrorItemNotFound, ErrorInvalidReferenceItem for what is no message, or one that was
    not sent."""
    view, ref = await referred(call, asked)
    view.start = ref.id.start
    if is_class(view.stored.item_class, APPOINTMENT):
        view = replace(view, content=meeting_messages.as_mail(view), stored=replace(view.stored, item_class=MESSAGE))
    if not is_class(view.stored.item_class, MESSAGE.rpartition(".")[0]):
        raise EwsError(Code.INVALID_REFERENCE_ITEM)
    if view.stored.flags & Flag.DRAFT:
        raise EwsError(Code.INVALID_REFERENCE_ITEM)
    return view, MailContent(view.content or b"")


def _reply(call: Call, view: ItemView, original: MailContent, is_to_all: bool) -> MailContent:
    """The head of a reply (RFC 5322 section 3.6.3): to Reply-To, else From; to all also to the other recipients, but not to its
    author."""
    message = MailContent()
    message.set_text("Subject", quoting.reply_subject(original.text("Subject")))
    me = view.mailbox.recipient.folded_addresses
    to = list(original.people("Reply-To") or original.people("From"))
    cc: list[Address] = []
    if is_to_all:
        to += [each for each in original.people("To") if fold(each.address) not in me]
        cc = [each for each in original.people("Cc") if fold(each.address) not in me]
    message.set_people("To", _pairs(to))
    message.set_people("Cc", _pairs(cc))
    _join(message, original, is_reply=True)
    return message


def _pairs(people: Sequence[Address]) -> list[tuple[str, str]]:
    by_address = {fold(each.address): (decode_words(each.name or b""), each.spec) for each in reversed(people)}
    return [by_address[address] for address in dict.fromkeys(fold(each.address) for each in people)]


def _join(message: MailContent, original: MailContent, is_reply: bool) -> None:
    """Joins a message to the thread of another (RFC 5322 section 3.6.4)."""
    told = original.raw("Message-ID")
    earlier = original.raw("References") or original.raw("In-Reply-To")
    if is_reply and told:
        message.set_text("In-Reply-To", told.decode("utf-8", "replace"))
    message.set_text("References", quoting.references(told, earlier))
    message.set_text("Thread-Topic", original.text("Thread-Topic"))
    message.set_text("Thread-Index", original.text("Thread-Index"))


def _attached(original: MailContent) -> list[Attached]:
    return list(original.parts.attached)


def _quoted(original: MailContent) -> Quoted:
    def shown(name: str) -> str:
        return "; ".join([each.display for each in original.people(name)])

    told = parse_date(original.raw("Date"))
    # The zone of a date may bring it into a year that has more than four digits, or into none.
    sent = formatdate(min(max(told[0], FIRST), LAST)).replace("-0000", "+0000") if told is not None else ""
    return Quoted(shown("From"), sent, shown("To"), shown("Cc"), original.text("Subject"), original.form)


async def _answer(
    call: Call,
    asked: xml.Element,
    how: How,
    view: ItemView,
    message: MailContent,
    flag: Flag,
    attached: Sequence[Attached] = (),
) -> str:
    """Stores or sends an answer, with what the request says of it."""
    place = how.saved
    if place is None:
        own = await call.own()
        place = Place(own, await own.of_kind(FolderKind.DRAFTS))
    editor = MailEditor(call, place, None)
    editor.message = message
    for each in asked.elements:
        if each.local in _FIELDS:
            _FIELDS[each.local](editor, each)
        elif each.local not in _READ_APART:
            raise EwsError(Code.INVALID_PROPERTY_SET, path=element("t:FieldURI", FieldURI=f"message:{each.local}"))
    body, new = asked.find(t("Body")), asked.find(t("NewBodyContent"))
    original = MailContent(view.content or b"")
    is_reply = bool(flag)
    await asyncio.to_thread(_put_body, message, original, read_body(body or new), body is None, is_reply)
    for each_attached in attached[:MAX_ATTACHMENTS]:
        message.attach(each_attached)
    saved = await editor.create(how)
    if flag and how.disposition is not Disposition.SAVE_ONLY:
        # The answer is on its way: whoever may not mark the message, or comes too late for it, has answered all the same.
        with suppress(EwsError, MailboxError):
            await view.mailbox.mark([view.stored], flag, True)
    if saved is None:
        return "<m:Items/>"
    item_id = element("t:ItemId", Id=str(saved.id), ChangeKey=change_key(saved.change))
    return f"<m:Items><t:Message>{item_id}</t:Message></m:Items>"


def _put_body(message: MailContent, original: MailContent, new: Form, is_quoting: bool, is_reply: bool) -> None:
    """Puts the body in; with what is quoted come the pictures that stand within it."""
    message.set_form(quoting.with_quoted(new, _quoted(original)) if is_quoting else new)
    if is_quoting and is_reply and message.form.is_html:
        for each in original.parts.attached[:MAX_ATTACHMENTS]:
            if each.is_inline:
                message.attach(each)
