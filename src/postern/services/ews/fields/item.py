"""The properties of every item, in the order of ItemType (MS-OXWSCORE section 2.2.4.24), as items that are mail have them."""

from __future__ import annotations

import base64

from postern.items.calendar_properties import KEYWORDS
from postern.items.message_properties import (
    REMINDER_DELTA,
    REMINDER_SET,
    REMINDER_SIGNAL,
    REMINDER_TIME,
)
from postern.items.properties import Type, tagged
from postern.model.folders import FolderKind
from postern.model.items import Flag
from postern.protocols.ews.names import boolean, element, number, value
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.services.ews.attached import attachments_markup
from postern.services.ews.fields import body, item_values, mime, people
from postern.services.ews.fields.field import Field
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.mail_editor import MailEditor


def _instance(name: str) -> Field:
    return Field(
        f"item:{name}",
        name,
        lambda view, shape: value(f"t:{name}", base64.b64encode(str(view.id).encode()).decode("ascii")),
        since=Version.V2013,
    )


def _absent(name: str, since: Version) -> Field:
    """A property that no item here has."""
    return Field(f"item:{name}", name, lambda view, shape: "", since=since)


def is_submitted(view: ItemView) -> bool:
    return view.node.kind is FolderKind.OUTBOX


MIME_CONTENT = Field(
    "item:MimeContent",
    "MimeContent",
    item_values.mime_content,
    needs=Need.CONTENT,
    single=True,
    write=MailEditor.set_mime,
)
ITEM_ID = Field("item:ItemId", "ItemId", item_values.item_id, default=True)
EXTENDED = Field("item:ExtendedProperty", "ExtendedProperty", lambda view, shape: "")
"""The place of MAPI properties, which `rendering` writes."""
_BAG = Need.BAG
ITEM_FIELDS: tuple[Field, ...] = (
    MIME_CONTENT,
    ITEM_ID,
    Field("item:ParentFolderId", "ParentFolderId", item_values.parent),
    Field(
        "item:ItemClass",
        "ItemClass",
        lambda view, shape: value("t:ItemClass", view.stored.item_class),
        write=MailEditor.set_class,
        property=tagged("PidTagMessageClass", 0x001A),
    ),
    Field(
        "item:Subject",
        "Subject",
        item_values.subject,
        needs=Need.ENVELOPE,
        default=True,
        property=tagged("PidTagSubject", 0x0037),
        write=MailEditor.set_subject,
        sort="subject",
    ),
    Field(
        "item:Sensitivity",
        "Sensitivity",
        item_values.sensitivity,
        needs=Need.HEADER,
        default=True,
        property=tagged("PidTagSensitivity", 0x0036, Type.INTEGER32),
        write=MailEditor.set_sensitivity,
    ),
    Field(
        "item:Body",
        "Body",
        body.body,
        needs=Need.CONTENT,
        default=True,
        single=True,
        property=tagged("PidTagBody", 0x1000),
        write=MailEditor.set_body,
        append=MailEditor.append_body,
    ),
    Field(
        "item:Attachments",
        "Attachments",
        lambda view, shape: attachments_markup(view),
        needs=Need.STRUCTURE,
        default=True,
        single=True,
        write=MailEditor.set_attachments,
    ),
    Field(
        "item:DateTimeReceived",
        "DateTimeReceived",
        lambda view, shape: value("t:DateTimeReceived", written(view.stored.internal_date)),
        property=tagged("PidTagMessageDeliveryTime", 0x0E06, Type.TIME),
        sort="arrival",
    ),
    Field("item:Size", "Size", lambda view, shape: number("t:Size", view.stored.size), default=True, sort="size"),
    Field(
        "item:Categories",
        "Categories",
        item_values.categories,
        needs=_BAG,
        property=KEYWORDS,
        write=MailEditor.set_categories,
    ),
    Field(
        "item:Importance",
        "Importance",
        item_values.importance,
        needs=Need.HEADER,
        property=tagged("PidTagImportance", 0x0017, Type.INTEGER32),
        write=MailEditor.set_importance,
    ),
    Field(
        "item:InReplyTo",
        "InReplyTo",
        item_values.in_reply_to,
        needs=Need.ENVELOPE,
        property=tagged("PidTagInReplyToId", 0x1042),
        write=MailEditor.set_in_reply_to,
    ),
    Field("item:IsSubmitted", "IsSubmitted", lambda view, shape: boolean("t:IsSubmitted", is_submitted(view))),
    Field(
        "item:IsDraft",
        "IsDraft",
        lambda view, shape: boolean("t:IsDraft", bool(view.stored.flags & Flag.DRAFT)),
    ),
    Field(
        "item:IsFromMe",
        "IsFromMe",
        lambda view, shape: boolean("t:IsFromMe", item_values.from_me(view)),
        needs=Need.ENVELOPE,
    ),
    Field("item:IsResend", "IsResend", lambda view, shape: boolean("t:IsResend", False)),
    Field(
        "item:IsUnmodified",
        "IsUnmodified",
        lambda view, shape: boolean("t:IsUnmodified", not view.stored.flags & Flag.DRAFT),
    ),
    Field("item:InternetMessageHeaders", "InternetMessageHeaders", item_values.headers, needs=Need.HEADER, single=True),
    Field("item:DateTimeSent", "DateTimeSent", item_values.sent, needs=Need.ENVELOPE, default=True, sort="date"),
    Field(
        "item:DateTimeCreated",
        "DateTimeCreated",
        lambda view, shape: value("t:DateTimeCreated", written(view.stored.created)),
        default=True,
        property=tagged("PidTagCreationTime", 0x3007, Type.TIME),
    ),
    Field(
        "item:ResponseObjects", "ResponseObjects", item_values.responses, needs=Need.HEADER, default=True, single=True
    ),
    Field(
        "item:ReminderDueBy",
        "ReminderDueBy",
        item_values.reminder_due,
        needs=_BAG,
        property=REMINDER_TIME,
        write=MailEditor.set_reminder_due,
    ),
    Field(
        "item:ReminderIsSet",
        "ReminderIsSet",
        item_values.reminder_set,
        needs=_BAG,
        property=REMINDER_SET,
        write=MailEditor.set_reminder,
    ),
    Field(
        "item:ReminderNextTime",
        "ReminderNextTime",
        item_values.reminder_next,
        since=Version.V2013,
        needs=_BAG,
        property=REMINDER_SIGNAL,
    ),
    Field(
        "item:ReminderMinutesBeforeStart",
        "ReminderMinutesBeforeStart",
        item_values.reminder_delta,
        needs=_BAG,
        property=REMINDER_DELTA,
        write=MailEditor.set_reminder_minutes,
    ),
    Field(
        "item:DisplayCc",
        "DisplayCc",
        lambda view, shape: value("t:DisplayCc", people.shown(mime.envelope(view).cc)),
        needs=Need.ENVELOPE,
        property=tagged("PidTagDisplayCc", 0x0E03),
    ),
    Field(
        "item:DisplayTo",
        "DisplayTo",
        lambda view, shape: value("t:DisplayTo", people.shown(mime.envelope(view).to)),
        needs=Need.ENVELOPE,
        property=tagged("PidTagDisplayTo", 0x0E04),
        sort="displayto",
    ),
    Field(
        "item:HasAttachments",
        "HasAttachments",
        item_values.has_attachments,
        needs=Need.STRUCTURE,
        default=True,
        property=tagged("PidTagHasAttachments", 0x0E1B, Type.BOOLEAN),
    ),
    EXTENDED,
    Field(
        "item:Culture",
        "Culture",
        lambda view, shape: value("t:Culture", item_values.language(mime.text(view, b"content-language"))),
        needs=Need.HEADER,
        write=MailEditor.set_culture,
    ),
    Field("item:EffectiveRights", "EffectiveRights", item_values.rights, needs=_BAG, since=Version.V2007_SP1),
    Field("item:LastModifiedName", "LastModifiedName", item_values.owner),
    Field(
        "item:LastModifiedTime",
        "LastModifiedTime",
        lambda view, shape: value("t:LastModifiedTime", written(view.stored.modified)),
        property=tagged("PidTagLastModificationTime", 0x3008, Type.TIME),
    ),
    Field(
        "item:IsAssociated",
        "IsAssociated",
        lambda view, shape: boolean("t:IsAssociated", False),
        since=Version.V2010,
    ),
    _absent("WebClientReadFormQueryString", Version.V2010),
    _absent("WebClientEditFormQueryString", Version.V2010),
    Field(
        "item:ConversationId",
        "ConversationId",
        lambda view, shape: element("t:ConversationId", Id=str(item_values.conversation_of(view))),
        since=Version.V2010,
        needs=Need.ENVELOPE,
    ),
    Field(
        "item:UniqueBody",
        "UniqueBody",
        body.unique_body,
        since=Version.V2010,
        needs=Need.CONTENT,
        single=True,
        is_asked=True,
    ),
    Field(
        "item:Flag",
        "Flag",
        item_values.flag,
        since=Version.V2013,
        needs=_BAG,
        write=MailEditor.set_flag,
    ),
    _absent("StoreEntryId", Version.V2010_SP2),
    _instance("InstanceKey"),
    Field(
        "item:NormalizedBody",
        "NormalizedBody",
        body.normalized_body,
        since=Version.V2013,
        needs=Need.CONTENT,
        single=True,
        is_asked=True,
    ),
    _absent("EntityExtractionResult", Version.V2013),
    _absent("PolicyTag", Version.V2013),
    _absent("ArchiveTag", Version.V2013),
    _absent("RetentionDate", Version.V2013),
    Field("item:Preview", "Preview", item_values.preview, since=Version.V2013, needs=Need.CONTENT, is_asked=True),
    _absent("RightsManagementLicenseData", Version.V2013),
    Field("item:BlockStatus", "BlockStatus", lambda view, shape: boolean("t:BlockStatus", False), since=Version.V2013),
    Field(
        "item:HasBlockedImages",
        "HasBlockedImages",
        lambda view, shape: boolean("t:HasBlockedImages", False),
        since=Version.V2013,
    ),
    Field(
        "item:TextBody", "TextBody", body.text_body, since=Version.V2013, needs=Need.CONTENT, single=True, is_asked=True
    ),
    Field(
        "item:IconIndex",
        "IconIndex",
        lambda view, shape: value("t:IconIndex", "Default"),
        since=Version.V2013,
    ),
)
