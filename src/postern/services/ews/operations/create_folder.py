"""CreateFolder, CreateManagedFolder (MS-OXWSFOLD sections 3.1.4.2 and 3.1.4.3) and CreateFolderPath."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_changes, folder_rendering, places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import Place

MAX_FOLDERS = 100
"""Folders that one request makes."""
MAX_DEPTH = 32
"""Levels of a path, as the store has it."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    parent = await places.target(call, request.find(m("ParentFolderId")), Code.PARENT_FOLDER_NOT_FOUND)
    folders = (request.find(m("Folders")) or xml.Element("")).elements
    if not 0 < len(folders) <= MAX_FOLDERS:
        raise EwsError(Code.INVALID_REQUEST, f"A request makes 1 to {MAX_FOLDERS} folders.")
    for each in folders:
        yield await attempted(_create(call, parent, each))


async def _create(call: Call, parent: Place, folder: xml.Element) -> str:
    return await folder_rendering.ids(call, await folder_changes.create(call, parent, folder))


async def run_path(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    """Makes those folders of a path that are not there yet, each below the one before."""
    parent = await places.target(call, request.find(m("ParentFolderId")), Code.PARENT_FOLDER_NOT_FOUND)
    folders = (request.find(m("RelativeFolderPath")) or xml.Element("")).elements
    if not 0 < len(folders) <= MAX_DEPTH:
        raise EwsError(Code.INVALID_REQUEST, f"A path has 1 to {MAX_DEPTH} folders.")
    for each in folders:
        name = each.text_of(t("DisplayName"))
        nodes = (await parent.mailbox.nodes()).values()
        below = (node for node in nodes if node.parent == parent.node.id)
        there = next((node for node in below if folder_rendering.shown_name(node) == name), None)
        if there is not None:
            parent = Place(parent.mailbox, there)
        else:
            # Without one level there are none below it.
            parent = await folder_changes.create(call, parent, each)
        yield await folder_rendering.ids(call, parent)


async def run_managed(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    """An administrator defines managed folders, and here none does."""
    names = (request.find(m("FolderNames")) or xml.Element("")).find_all(t("FolderName"))
    if not 0 < len(names) <= MAX_FOLDERS:
        raise EwsError(Code.INVALID_REQUEST, f"A request makes 1 to {MAX_FOLDERS} folders.")
    if len({each.text.strip().lower() for each in names}) < len(names):
        raise EwsError(Code.DUPLICATE_INPUT_FOLDER_NAMES)
    address = request.text_of(m("Mailbox"), t("EmailAddress"))
    mailbox = await call.mailbox(address) if address else await call.own()
    if not mailbox.is_whole:
        raise EwsError(Code.ACCESS_DENIED)
    for _ in names:
        yield EwsError(Code.MANAGED_FOLDER_NOT_FOUND)


CREATE_FOLDER = Batch("CreateFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.2", run)
CREATE_FOLDER_PATH = Batch("CreateFolderPath", Version.V2013, "MS-OXWSFOLD 3.1.4.2", run_path)
CREATE_MANAGED_FOLDER = Batch("CreateManagedFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.3", run_managed)
