"""The values of the properties of every item, as items that are mail have them."""

from __future__ import annotations

import base64
import re

from postern.items import conversations, message_properties
from postern.items.calendar_properties import KEYWORDS
from postern.items.message_properties import (
    FLAG_COMPLETED,
    FLAG_STATUS,
    REMINDER_DELTA,
    REMINDER_SET,
    REMINDER_SIGNAL,
    REMINDER_TIME,
    TASK_DUE,
    TASK_START,
)
from postern.model.domains import fold
from postern.model.folders import Right
from postern.model.items import Flag
from postern.protocols import xml
from postern.protocols.ews.ids import ConversationId, FolderId
from postern.protocols.ews.names import IMPORTANCES, SENSITIVITIES, boolean, element, number, value
from postern.protocols.ews.paths import FieldPath, IndexedPath
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.protocols.mime import layout
from postern.protocols.mime.dates import parse_date
from postern.protocols.mime.words import decode_words
from postern.services.access.guarded import MAKER
from postern.services.ews.fields import bag, body, mime
from postern.services.ews.item_view import ItemView
from postern.services.ews.meeting_messages import is_meeting_alone

MAX_HEADERS = 500
"""Fields of a header that InternetMessageHeaders tells."""
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*+")
MAX_LANGUAGE = 35
"""Characters of a language's tag (RFC 5646 section 4.4.1)."""
_PLAIN = (b'("text" "plain"', b'("text" "html"')


def is_language(tag: str) -> bool:
    """Whether a text is a language's tag (RFC 5646 section 2.1): "en-US"."""
    return len(tag) <= MAX_LANGUAGE and _LANGUAGE.fullmatch(tag) is not None


def language(told: str) -> str:
    """The language of an item, by what its field says; strangers write there what they like."""
    tag = told.partition(",")[0].strip()
    return tag if is_language(tag) else "en-US"


def mime_content(view: ItemView, shape: Shape) -> str:
    octets = base64.b64encode(view.content or b"").decode("ascii")
    return f"{MIME_START}{octets}{MIME_END}"


MIME_START, MIME_END = '<t:MimeContent CharacterSet="UTF-8">', "</t:MimeContent>"


def item_id(view: ItemView, shape: Shape) -> str:
    return element("t:ItemId", Id=str(view.id), ChangeKey=view.change_key)


def parent(view: ItemView, shape: Shape) -> str:
    return element("t:ParentFolderId", Id=str(FolderId(view.mailbox.id, view.node.id)))


def subject_of(view: ItemView) -> str:
    return decode_words(mime.envelope(view).subject).strip()


def subject(view: ItemView, shape: Shape) -> str:
    subject = subject_of(view)
    return value("t:Subject", subject) if subject else ""


def sensitivity(view: ItemView, shape: Shape) -> str:
    field = mime.raw(view, b"sensitivity").decode("ascii", "replace")
    return f"<t:Sensitivity>{SENSITIVITIES[message_properties.sensitivity(field)]}</t:Sensitivity>"


def importance(view: ItemView, shape: Shape) -> str:
    field, priority = mime.raw(view, b"importance"), mime.raw(view, b"x-priority")
    level = message_properties.importance(field.decode("ascii", "replace"), priority.decode("ascii", "replace"))
    return f"<t:Importance>{IMPORTANCES[level]}</t:Importance>"


def has_attachments(view: ItemView, shape: Shape) -> str:
    rendered = view.structure
    # Nearly all messages without an attachment are one text, or a text and HTML.
    plain = rendered.startswith(_PLAIN) and b'"attachment"' not in rendered and b"name" not in rendered
    is_bare = plain or is_meeting_alone(view)
    return boolean("t:HasAttachments", not is_bare and layout.has_attachments(mime.structure(view)))


def sent(view: ItemView, shape: Shape) -> str:
    told = parse_date(mime.envelope(view).date)
    seconds = told[0] if told is not None else None if view.stored.flags & Flag.DRAFT else view.stored.internal_date
    return value("t:DateTimeSent", written(seconds)) if seconds is not None else ""


def category_texts(view: ItemView) -> tuple[str, ...]:
    told = bag.value_of(view, KEYWORDS)
    return told if isinstance(told, tuple) else ()


def categories(view: ItemView, shape: Shape) -> str:
    told = category_texts(view)
    return element("t:Categories", *[value("t:String", each) for each in told]) if told else ""


def in_reply_to(view: ItemView, shape: Shape) -> str:
    told = mime.envelope(view).in_reply_to.decode("utf-8", "replace").strip()
    return value("t:InReplyTo", told) if told else ""


def headers(view: ItemView, shape: Shape) -> str:
    wanted = {path.index.lower() for path in shape.paths if isinstance(path, IndexedPath)}
    if shape.base is Base.ALL or FieldPath("item:InternetMessageHeaders") in shape.paths:
        wanted = set()
    told = []
    for name, field in mime.fields_of(view).ordered[:MAX_HEADERS]:
        text = name.decode("latin-1")
        if not wanted or text in wanted:
            shown = xml.text(decode_words(field))
            told.append(
                f'<t:InternetMessageHeader HeaderName="{xml.attribute(text.title())}">{shown}</t:InternetMessageHeader>'
            )
    return element("t:InternetMessageHeaders", *told) if told else ""


def responses(view: ItemView, shape: Shape) -> str:
    """The response objects that CreateItem takes for this message (MS-OXWSCORE section 2.2.4.41)."""
    if view.stored.flags & Flag.DRAFT:
        return ""
    told = "<t:ReplyToItem/><t:ReplyAllToItem/><t:ForwardItem/>"
    if not view.stored.flags & Flag.SEEN and mime.raw(view, b"disposition-notification-to"):
        told += "<t:SuppressReadReceipt/>"
    return f"<t:ResponseObjects>{told}</t:ResponseObjects>"


def reminder_due(view: ItemView, shape: Shape) -> str:
    due = bag.time_of(view, REMINDER_TIME)
    return value("t:ReminderDueBy", written(due)) if due is not None else ""


def reminder_set(view: ItemView, shape: Shape) -> str:
    return boolean("t:ReminderIsSet", bag.value_of(view, REMINDER_SET) is True)


def reminder_next(view: ItemView, shape: Shape) -> str:
    due = bag.time_of(view, REMINDER_SIGNAL)
    return value("t:ReminderNextTime", written(due)) if due is not None else ""


def reminder_delta(view: ItemView, shape: Shape) -> str:
    delta = bag.value_of(view, REMINDER_DELTA)
    return number("t:ReminderMinutesBeforeStart", delta if isinstance(delta, int) else 0)


def rights(view: ItemView, shape: Shape) -> str:
    """EffectiveRights (MS-OXWSCDATA section 2.2.4.29); the rights over one's own items count for whoever made the item."""
    rights = view.mailbox.rights_in(view.node)
    caller = view.mailbox.caller
    is_own = caller is not None and bag.value_of(view, MAKER) == caller.bytes
    may_delete = Right.DELETE_ANY | Right.DELETE_OWNED if is_own else Right.DELETE_ANY
    may_edit = Right.EDIT_ANY | Right.EDIT_OWNED if is_own else Right.EDIT_ANY
    return element(
        "t:EffectiveRights",
        boolean("t:CreateAssociated", False),
        boolean("t:CreateContents", False),
        boolean("t:CreateHierarchy", False),
        boolean("t:Delete", bool(rights & may_delete)),
        boolean("t:Modify", bool(rights & may_edit)),
        boolean("t:Read", bool(rights & Right.READ_ANY)),
        boolean("t:ViewPrivateItems", bool(rights & (Right.OWNER | Right.PRIVATE)))
        if view.call.header.version >= Version.V2010
        else "",
    )


def conversation_topic(view: ItemView) -> str:
    told = mime.text(view, b"thread-topic")
    return told or conversations.topic_of(subject_of(view))


def conversation_of(view: ItemView) -> ConversationId:
    return ConversationId(view.mailbox.id, conversations.number_of(conversations.topic_of(subject_of(view))))


def flag(view: ItemView, shape: Shape) -> str:
    """The flag for follow-up (MS-OXOFLAG section 2.2): IMAP's \\Flagged is its state, the bag has the rest."""
    status = "Flagged" if view.stored.flags & Flag.FLAGGED else "NotFlagged"
    if status == "NotFlagged" and bag.value_of(view, FLAG_STATUS) == 1:
        status = "Complete"
    inner = value("t:FlagStatus", status)
    dates = {
        "Flagged": (("StartDate", TASK_START), ("DueDate", TASK_DUE)),
        "Complete": (("CompleteDate", FLAG_COMPLETED),),
    }
    for name, property_ in dates.get(status, ()):
        time = bag.time_of(view, property_)
        if time is not None:
            inner += value(f"t:{name}", written(time))
    return f"<t:Flag>{inner}</t:Flag>"


def preview(view: ItemView, shape: Shape) -> str:
    told = body.preview(view)
    return value("t:Preview", told) if told else ""


def owner(view: ItemView, shape: Shape) -> str:
    recipient = view.mailbox.recipient
    return value("t:LastModifiedName", recipient.display_name or recipient.primary)


def from_me(view: ItemView) -> bool:
    senders = mime.envelope(view).from_
    return bool(senders) and fold(senders[0].address) in view.mailbox.recipient.folded_addresses
