"""The folders and items that a request names (MS-OXWSFOLD section 2.2.4.12, MS-OXWSCORE section 2.2.4.25)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from postern.model.directory import DirectoryUnavailable
from postern.model.folders import FolderKind, FolderNode, Right
from postern.model.item_store import StoredItem
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ROOT, SEARCHES, TOP, FolderId, ItemId, read_change_key, read_id
from postern.protocols.ews.names import t
from postern.services.ews import occurrences
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.item_view import ItemView, Need, load_one
from postern.services.ews.occurrences import SeriesRead
from postern.services.ews.operation import as_error

DISTINGUISHED: Mapping[str, FolderKind] = MappingProxyType(
    {
        "calendar": FolderKind.CALENDAR,
        "contacts": FolderKind.CONTACTS,
        "deleteditems": FolderKind.DELETED,
        "drafts": FolderKind.DRAFTS,
        "inbox": FolderKind.INBOX,
        "journal": FolderKind.JOURNAL,
        "notes": FolderKind.NOTES,
        "outbox": FolderKind.OUTBOX,
        "sentitems": FolderKind.SENT,
        "tasks": FolderKind.TASKS,
        "junkemail": FolderKind.JUNK,
    }
)
"""The distinguished folders that every mailbox has, by their ids in requests (MS-OXWSCDATA section 2.2.5.10)."""
ABOVE: Mapping[str, int] = MappingProxyType({"msgfolderroot": TOP, "root": ROOT, "searchfolders": SEARCHES})
NAME_OF = {kind: name for name, kind in DISTINGUISHED.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a mailbox."""

    mailbox: Mailbox
    node: FolderNode

    @property
    def id(self) -> FolderId:
        return FolderId(self.mailbox.id, self.node.id)

    @property
    def rights(self) -> Right:
        return self.mailbox.rights_in(self.node)


async def folder(call: Call, named: xml.Element) -> Place:
    """Finds the folder of a FolderId or a DistinguishedFolderId. Raises EwsError: ErrorFolderNotFound; ErrorInvalidIdMalformed
    and its like; ErrorNonExistentMailbox for a distinguished folder of an address that nobody has."""
    text = named.attributes.get("Id", "")
    if named.name == t("DistinguishedFolderId"):
        address = named.text_of(t("Mailbox"), t("EmailAddress"))
        mailbox = await call.mailbox(address) if address else await call.own()
        if text in ABOVE:
            return Place(mailbox, await mailbox.node(ABOVE[text]))
        if text not in DISTINGUISHED:
            # There are no public folders, archives and dumpsters here.
            raise EwsError(Code.FOLDER_NOT_FOUND)
        return Place(mailbox, await mailbox.of_kind(DISTINGUISHED[text]))
    if named.name != t("FolderId"):
        raise EwsError(Code.INVALID_REQUEST)
    key = named.attributes.get("ChangeKey", "")
    if key:
        read_change_key(key)
    wanted = read_id(text)
    if not isinstance(wanted, FolderId):
        raise EwsError(Code.CANNOT_USE_ITEM_ID_FOR_FOLDER_ID)
    try:
        mailbox = await call.mailbox_with(wanted.mailbox)
    except EwsError as error:
        if error.code is not Code.ITEM_NOT_FOUND:
            raise
        raise EwsError(Code.FOLDER_NOT_FOUND) from None
    return Place(mailbox, await mailbox.node(wanted.folder))


async def target(call: Call, wrapper: xml.Element | None, code: Code = Code.TO_FOLDER_NOT_FOUND) -> Place:
    """Finds the one folder in an element such as ToFolderId. Raises EwsError with `code` where it is not there."""
    named = wrapper.elements if wrapper is not None else []
    if len(named) != 1:
        raise EwsError(Code.SCHEMA_VALIDATION)
    try:
        return await folder(call, named[0])
    except EwsError as error:
        if error.code is not Code.FOLDER_NOT_FOUND:
            raise
        raise EwsError(code) from None


@dataclass(frozen=True, slots=True)
class ItemRef:
    """An item that a request names, and the number of the change that its change key knows (None: it has none)."""

    id: ItemId
    change: int | None = None


def item_ref(named: xml.Element) -> ItemRef:
    """Reads an ItemId. Raises EwsError: ErrorInvalidIdMalformed and its like, ErrorInvalidChangeKey. Ids of occurrences by index
    (OccurrenceItemId, RecurringMasterItemId) are resolved by `occurrences`.

    Bound: linear in the element.
    """
    if named.name != t("ItemId"):
        raise EwsError(Code.INVALID_REQUEST)
    wanted = read_id(named.attributes.get("Id", ""))
    if not isinstance(wanted, ItemId):
        raise EwsError(
            Code.CANNOT_USE_FOLDER_ID_FOR_ITEM_ID if isinstance(wanted, FolderId) else Code.INVALID_ID_MALFORMED
        )
    key = named.attributes.get("ChangeKey", "")
    return ItemRef(wanted, read_change_key(key) if key else None)


async def item_refs(call: Call, named: xml.Element | None, most: int) -> list[ItemRef | EwsError]:
    """Reads the ids of the items that a request names, 1 to `most` of them. In the place of an id that names none is an error.
    Raises EwsError ErrorInvalidRequest for too many."""
    ids = named.elements if named is not None else []
    if not 0 < len(ids) <= most:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {most} items.")
    series = SeriesRead(call)
    return [await _ref_or_error(series, each) for each in ids]


async def _ref_or_error(series: SeriesRead, named: xml.Element) -> ItemRef | EwsError:
    try:
        return await _resolved(series, named)
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        return as_error(error)


async def resolved_ref(call: Call, named: xml.Element) -> ItemRef:
    """Reads an ItemId, or looks up what an OccurrenceItemId or a RecurringMasterItemId names. Raises EwsError as `item_ref` and
    `occurrences.resolve`."""
    return await _resolved(SeriesRead(call), named)


async def _resolved(series: SeriesRead, named: xml.Element) -> ItemRef:
    if named.name not in occurrences.NAMES:
        return item_ref(named)
    key = named.attributes.get("ChangeKey", "")
    return ItemRef(await occurrences.resolve(series, named), read_change_key(key) if key else None)


async def referred(call: Call, response: xml.Element) -> tuple[ItemView, ItemRef]:
    """The item that a response refers to, with its content. Raises EwsError: ErrorMissingInformationReferenceItemId,
    ErrorItemNotFound, and as `item_ref`."""
    named = response.find(t("ReferenceItemId"))
    if named is None:
        raise EwsError(Code.MISSING_INFORMATION_REFERENCE_ITEM_ID)
    ref = item_ref(xml.Element(t("ItemId"), named.attributes))
    return await load_one(call, ref.id, Need.CONTENT), ref


@dataclass(slots=True)
class Selected:
    """The items of one mailbox that a request names: the references, and the items that are there for the caller, by id."""

    mailbox: Mailbox
    refs: list[ItemRef]
    items: dict[int, StoredItem]


async def selected(call: Call, refs: Iterable[ItemRef | EwsError]) -> list[Selected]:
    """Finds the items of these references, mailbox by mailbox; a mailbox that cannot be asked now is left out."""
    by_mailbox: dict[UUID, list[ItemRef]] = {}
    for ref in refs:
        if isinstance(ref, ItemRef):
            by_mailbox.setdefault(ref.id.mailbox, []).append(ref)
    there: list[Selected] = []
    for guid, its in by_mailbox.items():
        try:
            mailbox = await call.mailbox_with(guid)
            await mailbox.nodes()
            items = await mailbox.store.get(guid, list(dict.fromkeys(ref.id.item for ref in its)))
        except (EwsError, MailboxError, DirectoryUnavailable):
            continue
        there.append(Selected(mailbox, its, {item.id: item for item in items}))
    return there
