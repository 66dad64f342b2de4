"""The properties of private distribution lists, in the order of DistributionListType (MS-OXWSDLIST section 2.2.4.2)."""

from __future__ import annotations

from postern.protocols import xml
from postern.protocols.ews.names import element, value
from postern.protocols.ews.paths import IndexedPath
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.contact_editor import CONTACTS
from postern.services.ews.correspondents import mailbox_markup
from postern.services.ews.fields.contact import FILE_AS
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.mapped import constant, several
from postern.services.ews.fields.own_items import common, item_fields
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.list_editor import ListEditor, listed, prepare_members


def _members(view: ItemView, shape: Shape) -> str:
    return several(
        "Members",
        [
            element(
                "t:Member",
                mailbox_markup(each.who, view.call.header.version),
                value("t:Status", "Normal" if each.who.address or each.who.item else "Unrecognized"),
                Key=each.key,
            )
            for each in listed(view)
        ],
    )


def _set_members(editor: ListEditor, sent: xml.Element | None) -> None:
    editor.set_members(sent)


def _add_members(editor: ListEditor, sent: xml.Element | None) -> None:
    if sent is not None:
        editor.add_members(sent)


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
        append=_add_members,
    ),
)
