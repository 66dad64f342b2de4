"""Folders that a request makes, renames, moves, copies, empties and deletes (MS-OXWSFOLD), by the rights that the caller has.

The owner of a mailbox, and who has full access to it, may do all of it. Others make folders where they have CREATE_SUBFOLDER, and
change and remove those that they own. A folder is removed with all that is below it: for that, the caller owns each of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from postern.model.directory import DirectoryUnavailable
from postern.model.folders import MAIL, SEARCH, FolderKind, FolderNode, Right, is_class
from postern.model.item_store import FIRST_PROPERTY_NAME
from postern.model.mailbox import MailboxError
from postern.model.search import SortKey
from postern.model.sharing import ROLES
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, ROOT, SEARCHES, TOP
from postern.services.access.guarded_reading import EVERY
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.deleting import Disposal, dispose
from postern.services.ews.extended import OURS
from postern.services.ews.places import Place

PAGE = 1_000
"""Items that are deleted or copied by one call of the store."""
MAX_COPIED = 1_000
"""Folders that one copy makes."""
_MAX_NAMES = 100
"""Names that are tried for a folder among the deleted ones."""
_MOVABLE = (FolderKind.USER, FolderKind.ARCHIVE)


async def create(call: Call, parent: Place, name: str, folder_class: str = MAIL) -> FolderNode:
    """Makes a folder. It has the rights of others from the folder above, and somebody else who makes one owns it. Raises
    EwsError: ErrorCreateSubfolderAccessDenied, ErrorFolderExists, ErrorFolderSavePropertyError for a name that no folder can
    have."""
    mailbox, above = parent.mailbox, parent.node
    _demand_parent(parent, is_class(folder_class, SEARCH))
    try:
        node = await mailbox.server.items.create_in(mailbox.id, _stored(above.id), name, folder_class)
    except MailboxError as error:
        raise _refused(error) from None
    entries = await mailbox.server.items.rights(mailbox.id, above.id) if above.id not in ABOVE else {}
    if not mailbox.is_whole and mailbox.caller is not None:
        entries = {**entries, mailbox.caller: ROLES["owner"]}
    for grantee, rights in entries.items():
        await call.access.sharing.set_rights(mailbox.recipient, node.id, grantee, rights)
    if entries and not mailbox.is_whole:
        mailbox.rights = await call.access.sharing.rights(mailbox.caller, mailbox.recipient)
    mailbox.add_node(node)
    return node


def _demand_parent(parent: Place, is_search: bool) -> None:
    if parent.node.id == ROOT or (parent.node.id == SEARCHES and not is_search):
        raise EwsError(Code.INVALID_PARENT_FOLDER)
    if parent.node.id not in ABOVE:
        parent.mailbox.demand(parent.node, Right.CREATE_SUBFOLDER, Code.CREATE_SUBFOLDER_ACCESS_DENIED)


def _stored(parent: int) -> int:
    """The number that the store has for a parent: it keeps search folders at the top."""
    return TOP if parent == SEARCHES else parent


def _refused(error: MailboxError) -> Exception:
    if error.code == "CANNOT":
        return EwsError(Code.FOLDER_SAVE_PROPERTY_ERROR, str(error))
    if error.code == "NONEXISTENT":
        return EwsError(Code.FOLDER_NOT_FOUND)
    return error


async def rename(place: Place, name: str) -> None:
    """Gives a folder another name. Raises EwsError: ErrorAccessDenied, ErrorFolderExists, ErrorFolderSavePropertyError."""
    mailbox, node = place.mailbox, place.node
    mailbox.demand(node, Right.OWNER)
    if name == node.name:
        return
    if node.id in ABOVE or node.kind not in _MOVABLE:
        raise EwsError(Code.FOLDER_SAVE_PROPERTY_ERROR, "A well-known folder keeps its name.")
    try:
        await mailbox.server.items.move_folder(mailbox.id, node.id, _stored(node.parent), name)
    except MailboxError as error:
        raise _refused(error) from None
    mailbox.forget_nodes()


async def move(place: Place, target: Place) -> None:
    """Moves a folder with all that is below it. Raises EwsError: ErrorMoveDistinguishedFolder, ErrorCrossMailboxMoveCopy,
    ErrorMoveCopyFailed, ErrorFolderExists, ErrorAccessDenied."""
    mailbox, node = place.mailbox, place.node
    if node.id in ABOVE or node.kind not in _MOVABLE:
        raise EwsError(Code.MOVE_DISTINGUISHED_FOLDER)
    if mailbox.id != target.mailbox.id:
        raise EwsError(Code.CROSS_MAILBOX_MOVE_COPY)
    mailbox.demand(node, Right.OWNER)
    _demand_parent(target, node.is_search)
    if _stored(node.parent) == _stored(target.node.id):
        return
    try:
        await mailbox.server.items.move_folder(mailbox.id, node.id, _stored(target.node.id), node.name)
    except MailboxError as error:
        if error.code == "CANNOT":
            raise EwsError(Code.MOVE_COPY_FAILED, str(error)) from None
        raise _refused(error) from None
    mailbox.forget_nodes()


async def copy(call: Call, place: Place, target: Place) -> FolderNode:
    """Copies a folder with all that is below it and that the caller may read. What was made of a copy that fails is taken away.
    Raises EwsError: ErrorCrossMailboxMoveCopy, ErrorMoveCopyFailed, ErrorFolderExists, ErrorAccessDenied."""
    mailbox, node = place.mailbox, place.node
    if mailbox.id != target.mailbox.id:
        raise EwsError(Code.CROSS_MAILBOX_MOVE_COPY)
    if node.id in ABOVE:
        raise EwsError(Code.MOVE_COPY_FAILED)
    mailbox.demand(node, Right.READ_ANY)
    tree = below(list((await mailbox.nodes()).values()), node)
    readable = [each for each in tree if mailbox.rights_in(each) & Right.READ_ANY]
    if len(readable) > MAX_COPIED:
        raise EwsError(Code.MOVE_COPY_FAILED, f"A copy has at most {MAX_COPIED} folders.")
    copies: dict[int, FolderNode] = {}
    try:
        for each in readable:
            if each.id != node.id and each.parent not in copies:
                continue
            parent = target if each.id == node.id else Place(mailbox, copies[each.parent])
            copies[each.id] = await create(call, parent, each.name, each.folder_class)
            await _copy_properties(mailbox, each.id, copies[each.id].id)
            async for page in pages(mailbox, each.id):
                await mailbox.server.items.copy_items(mailbox.id, page, copies[each.id].id)
    except (EwsError, MailboxError, DirectoryUnavailable):
        for made in reversed(copies.values()):
            await mailbox.server.mailboxes.delete_folder(mailbox.id, made.id)
        mailbox.forget_nodes()
        raise
    return copies[node.id]


async def _copy_properties(mailbox: Mailbox, folder: int, copy_: int) -> None:
    """Copies the properties of clients; what the server keeps of a folder is of that folder alone."""
    bag = (await mailbox.server.items.folder_properties(mailbox.id, [folder])).get(folder, {})
    names = await mailbox.server.items.property_names(mailbox.id) if bag else {}
    values: dict[int, bytes | None] = {
        tag: octets
        for tag, octets in bag.items()
        if tag >> 16 < FIRST_PROPERTY_NAME or (tag >> 16 in names and not names[tag >> 16].name.startswith(OURS))
    }
    if values:
        await mailbox.server.items.set_folder_properties(mailbox.id, copy_, values)


async def pages(mailbox: Mailbox, folder: int) -> AsyncIterator[list[int]]:
    """Gives the items of a folder that the caller may read and that are there now, PAGE of them at a time."""
    await mailbox.nodes()
    there = (await mailbox.store.find(mailbox.id, folder, [SortKey("arrival")], 0, EVERY)).ids
    for start in range(0, len(there), PAGE):
        yield list(there[start : start + PAGE])


def below(tree: Sequence[FolderNode], node: FolderNode) -> list[FolderNode]:
    """A folder and all that are below it, each after its parent."""
    by_parent: dict[int, list[FolderNode]] = {}
    for each in tree:
        by_parent.setdefault(each.parent, []).append(each)
    order = [node]
    for each in order:
        order.extend(by_parent.pop(each.id, []))
    return order


async def delete(place: Place, disposal: Disposal) -> None:
    """Deletes a folder with all that is below it. Raises EwsError: ErrorDeleteDistinguishedFolder, ErrorAccessDenied."""
    mailbox, node = place.mailbox, place.node
    order = await _removable(place)
    if disposal is Disposal.TRASH:
        await _to_trash(mailbox, node)
    else:
        # By itself, the store leaves the folders below where they are.
        for each in reversed(order):
            await mailbox.server.mailboxes.delete_folder(mailbox.id, each.id)
    mailbox.forget_nodes()


async def _removable(place: Place) -> list[FolderNode]:
    """The folder and those below it, seen by the caller or not, if he may remove all of them."""
    mailbox, node = place.mailbox, place.node
    if node.id in ABOVE or node.kind not in _MOVABLE:
        raise EwsError(Code.DELETE_DISTINGUISHED_FOLDER)
    order = below(await mailbox.server.items.tree(mailbox.id), node)
    if any(each.kind not in _MOVABLE for each in order):
        raise EwsError(Code.DELETE_DISTINGUISHED_FOLDER)
    for each in order:
        mailbox.demand(each, Right.OWNER)
    return order


async def _to_trash(mailbox: Mailbox, node: FolderNode) -> None:
    trash = await mailbox.trash()
    if node.parent == trash:
        return
    for number in range(_MAX_NAMES):
        try:
            name = f"{node.name} {number + 1}" if number else node.name
            await mailbox.server.items.move_folder(mailbox.id, node.id, trash, name)
        except MailboxError as error:
            if error.code == "CANNOT":
                raise EwsError(Code.CANNOT_DELETE_OBJECT, str(error)) from None
            if error.code != "ALREADYEXISTS":
                raise
        else:
            return
    raise EwsError(Code.FOLDER_EXISTS)


async def empty(place: Place, disposal: Disposal, with_folders: bool) -> None:
    """Deletes the items of a folder, and with `with_folders` the folders below it. Raises EwsError: ErrorCannotEmptyFolder,
    ErrorAccessDenied."""
    mailbox, node = place.mailbox, place.node
    if node.id in ABOVE or node.is_search:
        raise EwsError(Code.CANNOT_EMPTY_FOLDER)
    mailbox.demand(node, Right.DELETE_ANY)
    if disposal is Disposal.TRASH and node.kind is FolderKind.DELETED:
        raise EwsError(Code.CANNOT_EMPTY_FOLDER, "The deleted items cannot be moved to the deleted items.")
    children = []
    if with_folders:
        children = [each for each in await mailbox.server.items.tree(mailbox.id) if each.parent == node.id]
        for each in children:
            await _removable(Place(mailbox, each))
    async for page in pages(mailbox, node.id):
        try:
            await dispose(mailbox, page, disposal)
        except MailboxError as error:
            # Somebody else was quicker.
            if error.code != "NONEXISTENT":
                raise
    for each in children:
        await delete(Place(mailbox, each), disposal)
