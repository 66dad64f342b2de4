"""GetRoomLists and GetRooms (MS-OXWSGTRM): the groups of the directory that have rooms, and their rooms."""

from __future__ import annotations

import time
from uuid import UUID
from weakref import WeakKeyDictionary

from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, m, t
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.correspondents import mailbox_markup, of_entry
from postern.services.ews.operation import Direct

MAX_ROOMS = 1_000
MAX_ASKED = 200
"""Rooms whose groups are asked for, to find the lists."""
KEPT_SECONDS = 60.0
"""Seconds for which the lists are remembered: finding them takes a question for each room."""


class RoomLists:
    """Finds the groups that have rooms as members, and remembers them."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[object, tuple[float, list[AddressBookEntry]]] = WeakKeyDictionary()

    async def get(self, call: Call) -> list[AddressBookEntry]:
        """The groups with rooms, in the order of their names. Raises DirectoryUnavailable."""
        directory = call.access.directory
        until, lists = self._kept.get(directory, (0.0, []))
        if time.monotonic() < until:
            return lists
        groups: list[UUID] = []
        for room in await directory.rooms(MAX_ASKED):
            groups += await call.access.sharing.grantees(room.guid)
        entries = await directory.address_book_entries(list(dict.fromkeys(groups)))
        lists = sorted(entries.values(), key=lambda entry: entry.display_name.casefold())
        lists = [entry for entry in lists if entry.type is RecipientType.GROUP]
        self._kept[directory] = (time.monotonic() + KEPT_SECONDS, lists)
        return lists

    async def run(self, call: Call, request: xml.Element) -> str:
        version = call.header.version
        lists = [mailbox_markup(of_entry(each), version, "t:Address") for each in await self.get(call)]
        return element("m:RoomLists", *lists)


async def rooms_of(call: Call, request: xml.Element) -> str:
    listed = request.find(m("RoomList"))
    address = listed.text_of(t("EmailAddress")).strip().lower() if listed is not None else ""
    if not address:
        raise EwsError(Code.SCHEMA_VALIDATION)
    directory = call.access.directory
    group = await directory.recipient(address)
    if group is None or group.type is not RecipientType.GROUP:
        # A list that is none (MS-OXWSGTRM section 3.1.4.2).
        raise EwsError(Code.NAME_RESOLUTION_NO_RESULTS)
    members = await directory.recipients(group.members[:MAX_ROOMS])
    rooms = [each for each in members.values() if each.type is RecipientType.ROOM]
    rooms.sort(key=lambda each: each.display_name.casefold())
    told = [element("t:Room", mailbox_markup(of_entry(each), call.header.version, "t:Id")) for each in rooms]
    return element("m:Rooms", *told)


GET_ROOM_LISTS = Direct("GetRoomLists", Version.V2010, "MS-OXWSGTRM 3.1.4.1", RoomLists().run)
GET_ROOMS = Direct("GetRooms", Version.V2010, "MS-OXWSGTRM 3.1.4.2", rooms_of)
