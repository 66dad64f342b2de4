"""The properties of private distribution lists, in the order of DistributionListType (MS-OXWSDLIST section 2.2.4.2)."""

from __future__ import annotations

from postern.protocols import xml
from postern.protocols.ews.ids import change_key
from postern.protocols.ews.names import element, value
from postern.protocols.ews.paths import IndexedPath
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.contact_editor import CONTACTS
from postern.services.ews.fields.contact import FILE_AS
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.mapped import constant, several
from postern.services.ews.fields.own_items import common, item_fields
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.list_editor import ListEditor, Member, listed, prepare_members


def mailbox_markup(member: Member, version: Version, name: str = "t:Mailbox") -> str:
    """An EmailAddressType (MS-OXWSCDATA section 2.2.4.28)."""
    type_ = member.type
    if type_ == "OneOff" and version < Version.V2010:
        type_ = ""
    return element(
        name,
        value("t:Name", member.name or member.address),
        value("t:EmailAddress", member.address) if member.address else "",
        value("t:RoutingType", "SMTP" if member.address else "MAPIPDL") if member.address or member.item else "",
        value("t:MailboxType", type_) if type_ else "",
        element("t:ItemId", Id=str(member.item), ChangeKey=change_key(member.change)) if member.item else "",
    )


def _members(view: ItemView, shape: Shape) -> str:
    return several(
        "Members",
        [
            element(
                "t:Member",
                mailbox_markup(each, view.call.header.version),
                value("t:Status", "Normal" if each.address or each.item else "Unrecognized"),
                Key=each.key,
            )
            for each in listed(view)
        ],
    )


def _set_members(editor: ListEditor, sent: xml.Element | None) -> None:
    editor.set_members(sent)


def _set_member(editor: ListEditor, path: IndexedPath, sent: xml.Element | None) -> None:
    editor.remove_member(path.index)
    if sent is not None:
        editor.add_members(sent)


LIST_FIELDS: tuple[Field, ...] = (
    *item_fields(common(CONTACTS)),
    CONTACTS.field("contacts:DisplayName", "PidTagDisplayName", default=True),
    FILE_AS,
    constant("contacts:ContactSource", "<t:ContactSource>Store</t:ContactSource>"),
    Field(
        "distributionlist:Members",
        "Members",
        _members,
        Version.V2010,
        Need.CONTENT,
        single=True,
        write=_set_members,
        parts=("distributionlist:Members:Member",),
        write_part=_set_member,
        prepare=prepare_members,
    ),
)
