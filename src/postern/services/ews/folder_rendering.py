"""Folders as markup, in the order of BaseFolderType and the types derived from it (MS-OXWSFOLD section 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from postern.items.properties import Value
from postern.model.folders import MAIL, SEARCH, FolderKind, FolderNode, Right, is_class
from postern.model.item_store import PropertyName
from postern.model.resources import FolderState
from postern.protocols.ews.alternate_ids import entry_id
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, ROOT, SEARCHES, TOP, FolderId, change_key
from postern.protocols.ews.names import boolean, element, number, value
from postern.protocols.ews.paths import ExtendedPath, FieldPath, path_markup
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import NEWEST, Version
from postern.services.ews import above, extended, permissions
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.places import NAME_OF, Place

ELEMENTS = {
    "IPF.Appointment": "CalendarFolder",
    "IPF.Contact": "ContactsFolder",
    "IPF.Task": "TasksFolder",
    SEARCH: "SearchFolder",
}
"""The elements of folders by their class; other folders are a Folder."""
_NO_STATE = FolderState(0, 0, 0, 0)
_BARE = Shape()
PERMISSION_SET = "folder:PermissionSet"
SEARCH_PARAMETERS = "folder:SearchParameters"
COUNTED = (0x3602, 0x3603)
"""The tags of the MAPI properties that are numbers of items."""


@dataclass(slots=True)
class FolderView:
    """A folder as one answer shows it. `children` counts the folders directly in it, `bag` are its properties, with the numbers
    of named ones in `numbers`, `permissions` is its PermissionSet, `search` the SearchParameters of a search folder, as markup.
    `is_counted`: `state` says how many items it has. `next_uid` is the UID that IMAP gives next. What was not asked for is
    empty."""

    mailbox: Mailbox
    node: FolderNode
    state: FolderState
    children: int
    bag: Mapping[int, bytes] = field(default_factory=dict)
    numbers: Mapping[PropertyName, int] = field(default_factory=dict)
    permissions: str = ""
    search: str = ""
    is_counted: bool = True
    version: Version = NEWEST
    next_uid: int = 0

    @property
    def element(self) -> str:
        return element_of(self.node.folder_class)


def element_of(folder_class: str) -> str:
    """The element of folders of a class: "IPF.Contact.Company" is a ContactsFolder."""
    return next((tag for name, tag in ELEMENTS.items() if is_class(folder_class, name)), "Folder")


def shown_class(node: FolderNode) -> str:
    """The class of a folder: a search folder shows mail."""
    return MAIL if node.is_search else node.folder_class


def shown_name(node: FolderNode) -> str:
    """The name of a folder: INBOX, as IMAP has it, is the Inbox here."""
    return "Inbox" if node.kind is FolderKind.INBOX and node.name == "INBOX" else node.name


async def views(
    mailbox: Mailbox, nodes: Sequence[FolderNode], shape: Shape = _BARE, call: Call | None = None
) -> list[FolderView]:
    """These folders with their numbers, and with the MAPI properties that a shape asks for. With `call` come the rights of
    others, where the shape asks for them and the caller owns the folder."""
    every = await mailbox.nodes()
    real = [node.id for node in nodes if node.id in every]
    states = await mailbox.store.folder_states(mailbox.id, real) if real else {}
    children: dict[int, int] = {}
    for node in every.values():
        children[node.parent] = children.get(node.parent, 0) + 1
    children[ROOT] = 2
    rows = [FolderView(mailbox, node, states.get(node.id, _NO_STATE), children.get(node.id, 0)) for node in nodes]
    asked = _extended(shape)
    if asked:
        await _look_at_properties(mailbox, rows, asked, real)
    if real and any(path.tag == _NEXT_UID for path in asked):
        told = {folder.id: folder.uid_next for folder in await mailbox.server.mailboxes.folders(mailbox.id)}
        for row in rows:
            row.next_uid = told.get(row.node.id, 0)
    if call is not None and FieldPath(PERMISSION_SET) in shape.paths:
        await _look_at_permissions(call, mailbox, [row for row in rows if row.node.id in every])
    return rows


async def _look_at_properties(
    mailbox: Mailbox, rows: Sequence[FolderView], asked: Sequence[ExtendedPath], real: Sequence[int]
) -> None:
    bags = await mailbox.store.folder_properties(mailbox.id, real) if real else {}
    kept = [extended.property_of(path) for path in asked if path.tag not in _COMPUTED]
    for row in rows:
        if row.node.id in ABOVE and kept:
            bags[row.node.id] = await above.bag_of(mailbox, row.node.id, kept)
    numbers = await mailbox.numbers(extended.names_of(asked))
    for row in rows:
        row.bag, row.numbers = bags.get(row.node.id, {}), numbers


async def _look_at_permissions(call: Call, mailbox: Mailbox, rows: Sequence[FolderView]) -> None:
    owned = [row for row in rows if mailbox.rights_in(row.node) & Right.OWNER]
    entries = await mailbox.server.items.mailbox_rights(mailbox.id) if owned else {}
    grantees = {guid for row in owned for guid in entries.get(row.node.id, {})}
    people = await permissions.people_of(call, sorted(grantees))
    for row in owned:
        row.permissions = permissions.markup(row.node, entries.get(row.node.id, {}), people)


def _extended(shape: Shape) -> list[ExtendedPath]:
    return [path for path in shape.paths if isinstance(path, ExtendedPath)]


_ENTRY_ID = (0x0FF9, 0x0FFF)
_MODIFIED = 0x670A
_NEXT_UID = 0x6751


def _last_change(change: int) -> str:
    """The number of a change as a time: one later number is a microsecond later, for DavMail compares these times."""
    seconds, rest = divmod(change, 1_000_000)
    return f"{written(seconds).removesuffix('Z')}.{rest:06}Z"


_COMPUTED: Mapping[int, Callable[[FolderView], Value | None]] = {
    **dict.fromkeys(_ENTRY_ID, lambda view: entry_id(FolderId(view.mailbox.id, view.node.id))),
    0x0E08: lambda view: view.state.size,
    0x3001: lambda view: shown_name(view.node),
    0x3602: lambda view: view.state.items,
    0x3603: lambda view: view.state.unseen,
    0x360A: lambda view: bool(view.children),
    0x3613: lambda view: shown_class(view.node),
    _MODIFIED: lambda view: _last_change(max(view.node.change, view.state.change)),
    _NEXT_UID: lambda view: view.next_uid or None,
}
"""MAPI properties that the store knows of a folder itself: PidTagRecordKey, PidTagEntryId, PidTagMessageSize, PidTagDisplayName,
PidTagContentCount, PidTagContentUnreadCount, PidTagSubfolders, PidTagContainerClass, PidTagLocalCommitTimeMax and
PidTagNextArticleId (MS-OXCFOLD section 2.2.2)."""


def _extended_markup(view: FolderView, path: ExtendedPath) -> str:
    computed = _COMPUTED.get(path.tag or 0)
    if computed is not None:
        held = computed(view)
        return extended.shown(path, held) if held is not None else ""
    return extended.markup(path, None, None, view.bag, view.numbers)


def _rights(view: FolderView) -> str:
    """EffectiveRights (MS-OXWSFOLD section 2.2.4.5)."""
    rights = view.mailbox.rights_in(view.node)
    return element(
        "t:EffectiveRights",
        boolean("t:CreateAssociated", bool(rights & Right.OWNER)),
        boolean("t:CreateContents", bool(rights & Right.CREATE)),
        boolean("t:CreateHierarchy", bool(rights & Right.CREATE_SUBFOLDER)),
        boolean("t:Delete", bool(rights & Right.OWNER)),
        boolean("t:Modify", bool(rights & Right.OWNER)),
        boolean("t:Read", bool(rights & Right.READ_ANY)),
        boolean("t:ViewPrivateItems", bool(rights & (Right.OWNER | Right.PRIVATE)))
        if view.version >= Version.V2010
        else "",
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


def _distinguished(view: FolderView) -> str:
    above = {TOP: "msgfolderroot", ROOT: "root", SEARCHES: "searchfolders"}
    return NAME_OF.get(view.node.kind, "") or above.get(view.node.id, "")


def _nothing(view: FolderView) -> str:
    return ""


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
        lambda view: value("t:FolderClass", shown_class(view.node)),
        default=False,
    ),
    FolderField("folder:DisplayName", "DisplayName", lambda view: value("t:DisplayName", shown_name(view.node))),
    FolderField(
        "folder:TotalCount",
        "TotalCount",
        lambda view: number("t:TotalCount", view.state.items) if view.is_counted else "",
    ),
    FolderField(
        "folder:ChildFolderCount", "ChildFolderCount", lambda view: number("t:ChildFolderCount", view.children)
    ),
    FolderField("folder:EffectiveRights", "EffectiveRights", _rights, since=Version.V2007_SP1, default=False),
    FolderField(
        "folder:DistinguishedFolderId",
        "DistinguishedFolderId",
        lambda view: value("t:DistinguishedFolderId", _distinguished(view)) if _distinguished(view) else "",
        since=Version.V2013,
        default=False,
    ),
    # There are no managed folders, retention tags and replicas here: the properties are known, and have no value.
    FolderField("folder:ManagedFolderInformation", "ManagedFolderInformation", _nothing, default=False),
    FolderField("folder:PolicyTag", "PolicyTag", _nothing, since=Version.V2013, default=False),
    FolderField("folder:ArchiveTag", "ArchiveTag", _nothing, since=Version.V2013, default=False),
    FolderField("folder:ReplicaList", "ReplicaList", _nothing, since=Version.V2013, default=False),
    FolderField(
        "folder:SharingEffectiveRights",
        "SharingEffectiveRights",
        lambda view: value(
            "t:SharingEffectiveRights",
            permissions.read_level(view.mailbox.rights_in(view.node), view.element == "CalendarFolder"),
        ),
        since=Version.V2010,
        default=False,
        only=("CalendarFolder", "ContactsFolder"),
    ),
    FolderField(PERMISSION_SET, "PermissionSet", lambda view: view.permissions, since=Version.V2007_SP1, default=False),
    FolderField(
        "folder:UnreadCount",
        "UnreadCount",
        lambda view: number("t:UnreadCount", view.state.unseen) if view.is_counted else "",
        only=_WITH_UNREAD,
    ),
    FolderField(SEARCH_PARAMETERS, "SearchParameters", lambda view: view.search, default=False, only=("SearchFolder",)),
)
BY_URI: Mapping[str, FolderField] = {each.uri: each for each in FOLDER_FIELDS}


def check_shape(shape: Shape) -> None:
    """Raises EwsError: ErrorInvalidPropertyRequest for a property that no folder has, ErrorUnsupportedMapiPropertyType."""
    for path in shape.paths:
        if isinstance(path, ExtendedPath):
            if path.tag not in _COMPUTED:
                extended.property_of(path)
        elif path.uri not in BY_URI:
            raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))


def markup(view: FolderView, shape: Shape, version: Version) -> str:
    """One folder as an element."""
    view.version = version
    parts = []
    for each in FOLDER_FIELDS:
        if each.since > version or (each.only and view.element not in each.only):
            continue
        is_asked = each is FOLDER_FIELDS[0] or FieldPath(each.uri) in shape.paths
        if is_asked or shape.base is Base.ALL or (shape.base is Base.DEFAULT and each.default):
            parts.append(each.read(view))
        if each.element == "ChildFolderCount":
            # MAPI properties stand behind it (BaseFolderType).
            parts.extend(_extended_markup(view, path) for path in _extended(shape))
    content = "".join(parts)
    return f"<t:{view.element}>{content}</t:{view.element}>"


async def ids(call: Call, place: Place) -> str:
    """The m:Folders of an answer with the id of one folder."""
    (view,) = await views(place.mailbox, [place.node])
    return f"<m:Folders>{markup(view, _BARE, call.header.version)}</m:Folders>"
