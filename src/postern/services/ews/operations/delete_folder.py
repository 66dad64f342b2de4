"""DeleteFolder and EmptyFolder (MS-OXWSFOLD sections 3.1.4.4 and 3.1.4.5), and MarkAllItemsAsRead (MS-OXWSCORE section
3.1.4.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.model.folders import Right
from postern.model.items import Flag, FlagChange
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE
from postern.protocols.ews.names import is_true, m
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_edits, places
from postern.services.ews.access import Call
from postern.services.ews.deleting import Disposal, read_disposal
from postern.services.ews.operation import Batch, attempted

MAX_IDS = 100
"""Folders of one request."""
_ALL = [(1, 0xFFFF_FFFF)]


def _named(request: xml.Element) -> list[xml.Element]:
    named = (request.find(m("FolderIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} folders.")
    return named


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    disposal = read_disposal(request)
    for each in _named(request):
        yield await attempted(_delete(call, each, disposal))


async def _delete(call: Call, named: xml.Element, disposal: Disposal) -> str:
    await folder_edits.delete(await places.folder(call, named), disposal)
    return ""


async def run_empty(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    disposal = read_disposal(request)
    with_folders = is_true(request.attributes.get("DeleteSubFolders", ""))
    for each in _named(request):
        yield await attempted(_empty(call, each, disposal, with_folders))


async def _empty(call: Call, named: xml.Element, disposal: Disposal, with_folders: bool) -> str:
    await folder_edits.empty(await places.folder(call, named), disposal, with_folders)
    return ""


async def run_mark(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    is_read = is_true(request.text_of(m("ReadFlag")))
    for each in _named(request):
        yield await attempted(_mark(call, each, is_read))


async def _mark(call: Call, named: xml.Element, is_read: bool) -> str:
    place = await places.folder(call, named)
    mailbox, node = place.mailbox, place.node
    if node.id in ABOVE or node.is_search:
        raise EwsError(Code.INVALID_FOLDER_TYPE_FOR_OPERATION)
    mailbox.demand(node, Right.EDIT_ANY)
    change = FlagChange.ADD if is_read else FlagChange.REMOVE
    await mailbox.server.mailboxes.change_flags(mailbox.id, node.id, _ALL, change, Flag.SEEN)
    return ""


DELETE_FOLDER = Batch("DeleteFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.4", run)
EMPTY_FOLDER = Batch("EmptyFolder", Version.V2010_SP1, "MS-OXWSFOLD 3.1.4.5", run_empty)
MARK_ALL_ITEMS_AS_READ = Batch("MarkAllItemsAsRead", Version.V2013, "MS-OXWSCORE 3.1.4.5", run_mark)
