"""The properties of messages and their places in MIME (MS-OXCMAIL section 2.2.3, MS-OXOMSG section 2.2).

What a message is sorted into, its reminder, and the dates of its flag are in the bag. So are its categories: a keyword of IMAP
is an atom, and a folder has 54 of them, while a category is any text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from postern.items import conversations
from postern.items.calendar_properties import KEYWORDS
from postern.items.mail_content import Form, MailContent
from postern.items.properties import (
    COMMON,
    INTERNET_HEADERS,
    TASK,
    Mapped,
    Property,
    PropertyMap,
    Type,
    Value,
    follows,
    in_bag,
    named,
    tagged,
)
from postern.model.item_store import PropertyName
from postern.model.items import MESSAGE, Flag
from postern.protocols.mime.dates import parse_date
from postern.protocols.mime.words import decode_words

MAX_FIELD_NAME = 100
MAX_INDEX = 4_096
"""Characters of a conversation index that are read."""
FLAG_STATUS = tagged("PidTagFlagStatus", 0x1090, Type.INTEGER32)
FLAG_COMPLETED = tagged("PidTagFlagCompleteTime", 0x1091, Type.TIME)
TASK_START = named("PidLidTaskStartDate", TASK, 0x8104, Type.TIME)
TASK_DUE = named("PidLidTaskDueDate", TASK, 0x8105, Type.TIME)
REMINDER_SET = named("PidLidReminderSet", COMMON, 0x8503, Type.BOOLEAN)
REMINDER_DELTA = named("PidLidReminderDelta", COMMON, 0x8501, Type.INTEGER32)
REMINDER_TIME = named("PidLidReminderTime", COMMON, 0x8502, Type.TIME)
REMINDER_SIGNAL = named("PidLidReminderSignalTime", COMMON, 0x8560, Type.TIME)
REPLY_REQUESTED = tagged("PidTagReplyRequested", 0x0C17, Type.BOOLEAN)
DELETE_AFTER_SUBMIT = tagged("PidTagDeleteAfterSubmit", 0x0E01, Type.BOOLEAN)
SENT_FOLDER = tagged("PidTagSentMailEntryId", 0x0E0A, Type.BINARY)
MESSAGE_FLAGS = tagged("PidTagMessageFlags", 0x0E07, Type.INTEGER32)
SUBMIT_TIME = tagged("PidTagClientSubmitTime", 0x0039, Type.TIME)
DELIVERY_TIME = tagged("PidTagMessageDeliveryTime", 0x0E06, Type.TIME)
_COMPLETE, _FLAGGED = 1, 2
"""PidTagFlagStatus (MS-OXOFLAG section 2.2.1.1)."""
_REPLIES = (102, 103)
"""PidTagLastVerbExecuted of a message that was answered, to its author or to all (MS-OXOMSG section 2.2.1.18)."""
_READ, _UNSENT, _HAS_ATTACHMENTS = 1, 8, 16
"""Bits of PidTagMessageFlags (MS-OXCMSG section 2.2.1.6)."""
IMPORTANCES = ("low", "normal", "high")
SENSITIVITIES = ("", "personal", "private", "company-confidential")
_PRIORITIES = {"1": 2, "2": 2, "3": 1, "4": 0, "5": 0}
"""X-Priority by PidTagImportance (MS-OXCMAIL section 2.2.3.2.5)."""


@dataclass(slots=True)
class MailRecord:
    """A message with what the store says of it. `flags` are its system flags. `flag_status` is PidTagFlagStatus in its bag, which
    says that a flag is complete."""

    content: MailContent
    flags: int = 0
    size: int = 0
    received: int = 0
    created: int = 0
    item_class: str = MESSAGE
    flag_status: int | None = None


def importance(field: str, priority: str = "") -> int:
    """PidTagImportance of a message with this Importance, or X-Priority.

    Bound: linear in the fields.
    """
    folded = field.strip().lower()
    if folded in IMPORTANCES:
        return IMPORTANCES.index(folded)
    return _PRIORITIES.get(priority.strip()[:1], 1)


def sensitivity(field: str) -> int:
    """PidTagSensitivity of a message with this Sensitivity (MS-OXCMAIL section 2.2.3.2.6).

    Bound: linear in the field.
    """
    folded = field.strip().lower()
    return SENSITIVITIES.index(folded) if folded in SENSITIVITIES else 0


def conversation_index(field: str) -> bytes:
    """PidTagConversationIndex of a message with this Thread-Index; b"" for none.

    Bound: linear; at most MAX_INDEX characters.
    """
    try:
        return base64.b64decode("".join(field[:MAX_INDEX].split()), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _text(canonical: str, number: int, field: str) -> Mapped[MailRecord]:
    """A text that a field of the header has."""

    def write(it: MailRecord, value: Value | None) -> None:
        it.content.set_text(field, value if isinstance(value, str) else "")

    return Mapped(tagged(canonical, number), field, lambda it: it.content.text(field) or None, write)


def _person(
    canonical: str, number: int, fields: tuple[str, ...], read: Callable[[bytes, str], str]
) -> Mapped[MailRecord]:
    """The name or the address in the first of these fields that names somebody."""

    def first(it: MailRecord) -> Value | None:
        for field in fields:
            for each in it.content.people(field):
                return read(each.name or b"", each.address) or None
        return None

    return Mapped(tagged(canonical, number), fields[0], first)


def _name(name: bytes, address: str) -> str:
    return decode_words(name) or address


def _people(canonical: str, number: int, field: str) -> Mapped[MailRecord]:
    """The names of recipients (MS-OXOMSG section 2.2.1.9)."""

    def read(it: MailRecord) -> Value | None:
        return "; ".join([each.display for each in it.content.people(field)]) or None

    return Mapped(tagged(canonical, number), field, read)


def _smtp(canonical: str, number: int, field: str) -> Mapped[MailRecord]:
    return Mapped(tagged(canonical, number), field, lambda it: "SMTP" if it.content.people(field) else None)


def _set_importance(it: MailRecord, value: Value | None) -> None:
    level = value if isinstance(value, int) and 0 <= value <= 2 else 1
    it.content.set_text("X-Priority", "")
    it.content.set_text("Importance", IMPORTANCES[level] if level != 1 else "")


def _set_sensitivity(it: MailRecord, value: Value | None) -> None:
    level = value if isinstance(value, int) and 0 <= value <= 3 else 0
    it.content.set_text("Sensitivity", SENSITIVITIES[level].title())


def _receipt(field: str) -> Callable[[MailRecord], Value | None]:
    return lambda it: bool(it.content.raw(field))


def _flags(it: MailRecord) -> Value | None:
    shown = _READ if it.flags & Flag.SEEN else 0
    shown |= _UNSENT if it.flags & Flag.DRAFT else 0
    return shown | (_HAS_ATTACHMENTS if _has_attachments(it) else 0)


def _set_flags(it: MailRecord, value: Value | None) -> None:
    told = value if isinstance(value, int) else 0
    kept = it.flags & ~(Flag.SEEN | Flag.DRAFT)
    it.flags = kept | (Flag.SEEN if told & _READ else 0) | (Flag.DRAFT if told & _UNSENT else 0)


def _flag_status(it: MailRecord) -> Value | None:
    return _FLAGGED if it.flags & Flag.FLAGGED else it.flag_status if it.flag_status == _COMPLETE else None


def _set_flag_status(it: MailRecord, value: Value | None) -> None:
    it.flags = it.flags | Flag.FLAGGED if value == _FLAGGED else it.flags & ~Flag.FLAGGED
    it.flag_status = _COMPLETE if value == _COMPLETE else None


def _set_verb(it: MailRecord, value: Value | None) -> None:
    it.flags = it.flags | Flag.ANSWERED if value in _REPLIES else it.flags & ~Flag.ANSWERED


def _has_attachments(it: MailRecord) -> bool:
    return bool(it.content.parts.attached)


def _sent(it: MailRecord) -> Value | None:
    told = parse_date(it.content.raw("Date"))
    return told[0] if told is not None else None


def _body(it: MailRecord) -> Value | None:
    form = it.content.form
    return (it.content.parts.plain if form.is_html else form.text) or None


def _html(it: MailRecord) -> Value | None:
    form = it.content.form
    return form.text if form.is_html else None


def _set_body(is_html: bool) -> Callable[[MailRecord, Value | None], None]:
    def write(it: MailRecord, value: Value | None) -> None:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
        it.content.set_form(Form(text, is_html))

    return write


def _index(it: MailRecord) -> Value | None:
    return conversation_index(it.content.text("Thread-Index")) or None


def _set_index(it: MailRecord, value: Value | None) -> None:
    it.content.set_text("Thread-Index", base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else "")


def _normalized(it: MailRecord) -> str | None:
    """The subject without its one prefix."""
    subject = it.content.text("Subject")
    return subject[len(conversations.prefix_of(subject)) :].strip() or None


def _topic(it: MailRecord) -> Value | None:
    return it.content.text("Thread-Topic") or conversations.topic_of(it.content.text("Subject")) or None


def _set_topic(it: MailRecord, value: Value | None) -> None:
    it.content.set_text("Thread-Topic", value if isinstance(value, str) else "")


def header_text(it: MailRecord) -> str:
    """PidTagTransportMessageHeaders: the header as it stands.

    Bound: linear in the header.
    """
    return it.content.header.decode("utf-8", "replace")


class _Map(PropertyMap[MailRecord]):
    """The map of messages, which has each field of the header as a named property, too."""

    def find(self, key: int | PropertyName) -> Mapped[MailRecord] | None:
        if isinstance(key, PropertyName) and key.set == INTERNET_HEADERS and key.lid is None:
            if not key.name.isascii() or not key.name.replace("-", "").isalnum() or len(key.name) > MAX_FIELD_NAME:
                return None
            if key.name.lower().startswith(("content-", "mime-version")):
                return None
            entry = _text(key.name, 0, key.name)
            return Mapped(Property(key.name, Type.STRING, 0, key), entry.place, entry.read, entry.write)
        return super().find(key)


_FROM = ("From",)
_SENDER = ("Sender", "From")
MESSAGE_PROPERTIES: PropertyMap[MailRecord] = _Map(
    [
        _text("PidTagSubject", 0x0037, "Subject"),
        Mapped(
            tagged("PidTagNormalizedSubject", 0x0E1D),
            "Subject",
            _normalized,
        ),
        Mapped(
            tagged("PidTagSubjectPrefix", 0x003D),
            "Subject",
            lambda it: conversations.prefix_of(it.content.text("Subject")) or None,
        ),
        Mapped(tagged("PidTagBody", 0x1000), "text/plain", _body, _set_body(False)),
        Mapped(tagged("PidTagBodyHtml", 0x1013), "text/html", _html, _set_body(True)),
        _text("PidTagInternetMessageId", 0x1035, "Message-ID"),
        _text("PidTagInReplyToId", 0x1042, "In-Reply-To"),
        _text("PidTagInternetReferences", 0x1039, "References"),
        Mapped(
            tagged("PidTagImportance", 0x0017, Type.INTEGER32),
            "Importance",
            lambda it: importance(it.content.text("Importance"), it.content.text("X-Priority")),
            _set_importance,
        ),
        follows(
            Mapped(
                tagged("PidTagPriority", 0x0026, Type.INTEGER32),
                "Importance",
                lambda it: importance(it.content.text("Importance"), it.content.text("X-Priority")) - 1,
            )
        ),
        Mapped(
            tagged("PidTagSensitivity", 0x0036, Type.INTEGER32),
            "Sensitivity",
            lambda it: sensitivity(it.content.text("Sensitivity")),
            _set_sensitivity,
        ),
        _person("PidTagSentRepresentingName", 0x0042, _FROM, _name),
        _person("PidTagSentRepresentingEmailAddress", 0x0065, _FROM, lambda _, address: address),
        _person("PidTagSentRepresentingSmtpAddress", 0x5D02, _FROM, lambda _, address: address),
        _smtp("PidTagSentRepresentingAddressType", 0x0064, "From"),
        _person("PidTagSenderName", 0x0C1A, _SENDER, _name),
        _person("PidTagSenderEmailAddress", 0x0C1F, _SENDER, lambda _, address: address),
        _person("PidTagSenderSmtpAddress", 0x5D01, _SENDER, lambda _, address: address),
        _smtp("PidTagSenderAddressType", 0x0C1E, "From"),
        _people("PidTagDisplayTo", 0x0E04, "To"),
        _people("PidTagDisplayCc", 0x0E03, "Cc"),
        _people("PidTagDisplayBcc", 0x0E02, "Bcc"),
        Mapped(SUBMIT_TIME, "Date", _sent),
        Mapped(tagged("PidTagTransportMessageHeaders", 0x007D), "header", header_text),
        Mapped(tagged("PidTagConversationTopic", 0x0070), "Thread-Topic", _topic, _set_topic),
        Mapped(tagged("PidTagConversationIndex", 0x0071, Type.BINARY), "Thread-Index", _index, _set_index),
        Mapped(
            tagged("PidTagReadReceiptRequested", 0x0029, Type.BOOLEAN),
            "Disposition-Notification-To",
            _receipt("Disposition-Notification-To"),
        ),
        Mapped(
            tagged("PidTagOriginatorDeliveryReportRequested", 0x0023, Type.BOOLEAN),
            "Return-Receipt-To",
            _receipt("Return-Receipt-To"),
        ),
        Mapped(tagged("PidTagHasAttachments", 0x0E1B, Type.BOOLEAN), "parts", _has_attachments),
        Mapped(tagged("PidTagInternetCodepage", 0x3FDE, Type.INTEGER32), "charset", lambda it: 65001),
        Mapped(MESSAGE_FLAGS, "flags", _flags, _set_flags),
        Mapped(FLAG_STATUS, "flags", _flag_status, _set_flag_status),
        Mapped(
            tagged("PidTagLastVerbExecuted", 0x1081, Type.INTEGER32),
            "flags",
            lambda it: _REPLIES[0] if it.flags & Flag.ANSWERED else None,
            _set_verb,
        ),
        Mapped(tagged("PidTagMessageSize", 0x0E08, Type.INTEGER32), "size", lambda it: it.size),
        Mapped(DELIVERY_TIME, "received", lambda it: it.received),
        Mapped(tagged("PidTagCreationTime", 0x3007, Type.TIME), "created", lambda it: it.created),
        Mapped(tagged("PidTagMessageClass", 0x001A), "class", lambda it: it.item_class),
        *in_bag(
            KEYWORDS,
            FLAG_COMPLETED,
            TASK_START,
            TASK_DUE,
            REMINDER_SET,
            REMINDER_DELTA,
            REMINDER_TIME,
            REMINDER_SIGNAL,
            REPLY_REQUESTED,
            tagged("PidTagIconIndex", 0x1080, Type.INTEGER32),
        ),
    ]
)
"""The map of IPM.Note."""
