"""Folders as markup, in the order of BaseFolderType and the types derived from it (MS-OXWSFOLD section 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from postern.model.folders import FolderNode, Right
from postern.model.resources import FolderState
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ROOT, FolderId, change_key
from postern.protocols.ews.names import boolean, element, number, value
from postern.protocols.ews.paths import FieldPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Mailbox
from postern.services.ews.places import NAME_OF

ELEMENTS = {
    "IPF.Appointment": "CalendarFolder",
    "IPF.Contact": "ContactsFolder",
    "IPF.Task": "TasksFolder",
}
"""The elements of folders by their class; other folders are a Folder."""
_NO_STATE = FolderState(0, 0, 0, 0)


@dataclass(slots=True)
class FolderView:
    """A folder as one answer shows it. `children` counts the folders directly in it."""

    mailbox: Mailbox
    node: FolderNode
    state: FolderState
    children: int

    @property
    def element(self) -> str:
        return element_of(self.node.folder_class)


def element_of(folder_class: str) -> str:
    """The element of folders of a class: "IPF.Contact.Company" is a ContactsFolder."""
    folded = folder_class.lower()
    for name, tag in ELEMENTS.items():
        if folded == name.lower() or folded.startswith(f"{name.lower()}."):
            return tag
    return "Folder"


async def views(mailbox: Mailbox, nodes: list[FolderNode]) -> list[FolderView]:
    """These folders with their numbers."""
    every = await mailbox.nodes()
    real = [node.id for node in nodes if node.id in every]
    states = await mailbox.store.folder_states(mailbox.id, real) if real else {}
    children: dict[int, int] = {}
    for node in every.values():
        children[node.parent] = children.get(node.parent, 0) + 1
    children[ROOT] = 1
    return [FolderView(mailbox, node, states.get(node.id, _NO_STATE), children.get(node.id, 0)) for node in nodes]


def _rights(view: FolderView) -> str:
    """EffectiveRights (MS-OXWSFOLD section 2.2.4.5)."""
    rights = view.mailbox.rights_in(view.node) if not view.mailbox.is_whole else Right(0x1FFB)
    return element(
        "t:EffectiveRights",
        boolean("t:CreateAssociated", bool(rights & Right.OWNER)),
        boolean("t:CreateContents", bool(rights & Right.CREATE)),
        boolean("t:CreateHierarchy", bool(rights & Right.CREATE_SUBFOLDER)),
        boolean("t:Delete", bool(rights & Right.OWNER)),
        boolean("t:Modify", bool(rights & Right.OWNER)),
        boolean("t:Read", bool(rights & Right.READ_ANY)),
        boolean("t:ViewPrivateItems", bool(rights & Right.OWNER)),
    )


@dataclass(frozen=True, slots=True)
class FolderField:
    """A property of folders, as `fields.field.Field` is one of items. `only` are the elements that have it; () for all."""

    uri: str
    element: str
    read: Callable[[FolderView], str]
    since: Version = Version.V2007
    default: bool = True
    only: tuple[str, ...] = ()


_WITH_UNREAD = ("Folder", "SearchFolder", "TasksFolder")

FOLDER_FIELDS: tuple[FolderField, ...] = (
    FolderField(
        "folder:FolderId",
        "FolderId",
        lambda view: element(
            "t:FolderId",
            Id=str(FolderId(view.mailbox.id, view.node.id)),
            ChangeKey=change_key(max(view.node.change, view.state.change)),
        ),
    ),
    FolderField(
        "folder:ParentFolderId",
        "ParentFolderId",
        lambda view: element("t:ParentFolderId", Id=str(FolderId(view.mailbox.id, view.node.parent))),
        default=False,
    ),
    FolderField(
        "folder:FolderClass",
        "FolderClass",
        lambda view: value("t:FolderClass", view.node.folder_class),
        default=False,
    ),
    FolderField("folder:DisplayName", "DisplayName", lambda view: value("t:DisplayName", view.node.name)),
    FolderField("folder:TotalCount", "TotalCount", lambda view: number("t:TotalCount", view.state.items)),
    FolderField(
        "folder:ChildFolderCount", "ChildFolderCount", lambda view: number("t:ChildFolderCount", view.children)
    ),
    FolderField("folder:EffectiveRights", "EffectiveRights", _rights, default=False),
    FolderField(
        "folder:DistinguishedFolderId",
        "DistinguishedFolderId",
        lambda view: value("t:DistinguishedFolderId", NAME_OF[view.node.kind]) if view.node.kind in NAME_OF else "",
        since=Version.V2013,
        default=False,
    ),
    FolderField("folder:PermissionSet", "PermissionSet", lambda view: "", default=False),
    FolderField(
        "folder:UnreadCount",
        "UnreadCount",
        lambda view: number("t:UnreadCount", view.state.unseen),
        only=_WITH_UNREAD,
    ),
)
_BY_URI: Mapping[str, FolderField] = {each.uri: each for each in FOLDER_FIELDS}


def check_shape(shape: Shape) -> None:
    """Raises EwsError ErrorInvalidPropertyRequest for a property that no folder has."""
    for path in shape.paths:
        if isinstance(path, FieldPath) and path.uri not in _BY_URI:
            raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))


def markup(view: FolderView, shape: Shape, version: Version) -> str:
    """One folder as an element."""
    parts = []
    for each in FOLDER_FIELDS:
        if each.since > version or (each.only and view.element not in each.only):
            continue
        is_asked = each is FOLDER_FIELDS[0] or FieldPath(each.uri) in shape.paths
        if is_asked or shape.base is Base.ALL or (shape.base is Base.DEFAULT and each.default):
            parts.append(each.read(view))
    content = "".join(parts)
    return f"<t:{view.element}>{content}</t:{view.element}>"
