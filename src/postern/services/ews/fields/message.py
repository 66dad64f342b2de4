"""The properties of messages, in the order of MessageType (MS-OXWSMSG section 2.2.4.1)."""

from __future__ import annotations

import base64

from postern.items.message_properties import REPLY_REQUESTED, conversation_index
from postern.items.properties import Type, tagged
from postern.model.items import Flag
from postern.protocols.ews.names import boolean, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.fields import bag, mime, people
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import ITEM_FIELDS
from postern.services.ews.fields.item_values import conversation_topic
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.mail_editor import MailEditor


def _sender(view: ItemView, shape: Shape) -> str:
    return people.single("Sender", mime.envelope(view).sender)


def _from(view: ItemView, shape: Shape) -> str:
    return people.single("From", mime.envelope(view).from_)


def _reply_to(view: ItemView, shape: Shape) -> str:
    told = mime.envelope(view)
    # The envelope has From where there is no Reply-To (RFC 9051 section 7.5.2).
    return people.several("ReplyTo", told.reply_to) if told.reply_to != told.from_ else ""


def _index(view: ItemView, shape: Shape) -> str:
    told = conversation_index(mime.raw(view, b"thread-index").decode("ascii", "replace"))
    return value("t:ConversationIndex", base64.b64encode(told).decode("ascii")) if told else ""


def _topic(view: ItemView, shape: Shape) -> str:
    told = conversation_topic(view)
    return value("t:ConversationTopic", told) if told else ""


def _message_id(view: ItemView, shape: Shape) -> str:
    told = mime.envelope(view).message_id.decode("utf-8", "replace").strip()
    return value("t:InternetMessageId", told) if told else ""


def _references(view: ItemView, shape: Shape) -> str:
    told = mime.text(view, b"references")
    return value("t:References", told) if told else ""


def _received_by(name: str) -> Field:
    def read(view: ItemView, shape: Shape) -> str:
        if view.stored.flags & Flag.DRAFT:
            return ""
        owner = view.mailbox.recipient
        return f"<t:{name}>{people.mailbox(owner.display_name, owner.primary)}</t:{name}>"

    return Field(f"message:{name}", name, read, since=Version.V2007_SP1)


MESSAGE_FIELDS: tuple[Field, ...] = (
    *ITEM_FIELDS,
    Field("message:Sender", "Sender", _sender, needs=Need.ENVELOPE, write=MailEditor.set_sender),
    Field(
        "message:ToRecipients",
        "ToRecipients",
        lambda view, shape: people.several("ToRecipients", mime.envelope(view).to),
        needs=Need.ENVELOPE,
        default=True,
        single=True,
        write=MailEditor.set_to,
        append=MailEditor.append_to,
    ),
    Field(
        "message:CcRecipients",
        "CcRecipients",
        lambda view, shape: people.several("CcRecipients", mime.envelope(view).cc),
        needs=Need.ENVELOPE,
        default=True,
        single=True,
        write=MailEditor.set_cc,
        append=MailEditor.append_cc,
    ),
    Field(
        "message:BccRecipients",
        "BccRecipients",
        lambda view, shape: people.several("BccRecipients", mime.envelope(view).bcc),
        needs=Need.ENVELOPE,
        default=True,
        single=True,
        write=MailEditor.set_bcc,
        append=MailEditor.append_bcc,
    ),
    Field(
        "message:IsReadReceiptRequested",
        "IsReadReceiptRequested",
        lambda view, shape: boolean("t:IsReadReceiptRequested", bool(mime.raw(view, b"disposition-notification-to"))),
        needs=Need.HEADER,
        default=True,
        property=tagged("PidTagReadReceiptRequested", 0x0029, Type.BOOLEAN),
        write=MailEditor.set_read_receipt,
    ),
    Field(
        "message:IsDeliveryReceiptRequested",
        "IsDeliveryReceiptRequested",
        lambda view, shape: boolean("t:IsDeliveryReceiptRequested", bool(mime.raw(view, b"return-receipt-to"))),
        needs=Need.HEADER,
        default=True,
        property=tagged("PidTagOriginatorDeliveryReportRequested", 0x0023, Type.BOOLEAN),
        write=MailEditor.set_delivery_receipt,
    ),
    Field("message:ConversationIndex", "ConversationIndex", _index, needs=Need.HEADER),
    Field(
        "message:ConversationTopic",
        "ConversationTopic",
        _topic,
        needs=Need.HEADER | Need.ENVELOPE,
        property=tagged("PidTagConversationTopic", 0x0070),
    ),
    Field(
        "message:From",
        "From",
        _from,
        needs=Need.ENVELOPE,
        default=True,
        write=MailEditor.set_from,
        sort="displayfrom",
    ),
    Field(
        "message:InternetMessageId",
        "InternetMessageId",
        _message_id,
        needs=Need.ENVELOPE,
        property=tagged("PidTagInternetMessageId", 0x1035),
        write=MailEditor.set_message_id,
    ),
    Field(
        "message:IsRead",
        "IsRead",
        lambda view, shape: boolean("t:IsRead", bool(view.stored.flags & Flag.SEEN)),
        default=True,
        write=MailEditor.set_read,
    ),
    Field(
        "message:IsResponseRequested",
        "IsResponseRequested",
        lambda view, shape: boolean("t:IsResponseRequested", bag.value_of(view, REPLY_REQUESTED) is True),
        needs=Need.BAG,
        property=REPLY_REQUESTED,
        write=MailEditor.set_response_requested,
    ),
    Field(
        "message:References",
        "References",
        _references,
        needs=Need.HEADER,
        property=tagged("PidTagInternetReferences", 0x1039),
        write=MailEditor.set_references,
    ),
    Field(
        "message:ReplyTo",
        "ReplyTo",
        _reply_to,
        needs=Need.ENVELOPE,
        single=True,
        write=MailEditor.set_reply_to,
        append=MailEditor.append_reply_to,
    ),
    _received_by("ReceivedBy"),
    _received_by("ReceivedRepresenting"),
    Field("message:ApprovalRequestData", "ApprovalRequestData", lambda view, shape: "", since=Version.V2013),
    Field("message:VotingInformation", "VotingInformation", lambda view, shape: "", since=Version.V2013),
    Field("message:ReminderMessageData", "ReminderMessageData", lambda view, shape: "", since=Version.V2013_SP1),
)
