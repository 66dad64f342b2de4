"""User configurations as they are kept: in named properties of their folder, each packed into one value.

So they go with the folder, a synchronization tells of the folder when one changes, and a folder's bag bounds all of them.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any
from uuid import UUID

from postern.items.properties import Type
from postern.items.property_values import decoded, encoded
from postern.model.folders import FolderNode, Right
from postern.model.item_store import PropertyName
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, ItemId
from postern.protocols.ews.names import element
from postern.protocols.ews.user_configurations import Configuration, Entry, read_name
from postern.services.ews import above, places
from postern.services.ews.access import Call
from postern.services.ews.places import Place

SET = UUID("8f3e2f0c-6f5b-4d0e-9a53-3a1f1d0c7be1")
"""The set of the names of these properties: one of our own."""
_MAX_UNPACKED = 4 << 20
"""Octets of a packed value that are unpacked."""


class Kept:
    """The place of one configuration: a folder, and a name. `home` is the folder whose bag has it."""

    def __init__(self, place: Place, name: str, home: FolderNode) -> None:
        self._place = place
        self.name = name
        self._home = home
        # The folders above the tree have no bag: their configurations are in that of the inbox, under other names.
        owner = f"{place.node.id}" if place.node.id in ABOVE else ""
        self._property = PropertyName(SET, None, f"{owner}:{name}")

    @classmethod
    async def named(cls, call: Call, name: xml.Element | None) -> Kept:
        """Finds the place that a UserConfigurationName names. Raises EwsError: ErrorFolderNotFound and its like,
        ErrorInvalidRequest."""
        text = read_name(name)
        place = await places.target(call, name, Code.FOLDER_NOT_FOUND)
        return cls(place, text, await above.home_of(place.mailbox, place.node))

    @property
    def markup(self) -> str:
        return element("t:UserConfigurationName", element("t:FolderId", Id=str(self._place.id)), Name=self.name)

    async def id_markup(self) -> str:
        """The ItemId, under which no item is found: its number is that of the property, below zero."""
        number = await self._number()
        number = self._home.id << 16 | number & 0xFFFF
        return element("t:ItemId", Id=str(ItemId(self._place.mailbox.id, -number)))

    async def read(self) -> Configuration:
        """Reads the configuration. Raises EwsError: ErrorItemNotFound, ErrorAccessDenied, ErrorItemCorrupt."""
        self._place.mailbox.demand(self._home, Right.READ_ANY)
        configuration = await self._read()
        if configuration is None:
            raise EwsError(Code.ITEM_NOT_FOUND)
        return configuration

    async def create(self, configuration: Configuration) -> None:
        """Keeps a new configuration. Raises EwsError: ErrorItemSave where there is one, ErrorAccessDenied,
        ErrorDataSizeLimitExceeded."""
        self._demand_writing()
        if await self._read() is not None:
            raise EwsError(Code.ITEM_SAVE, "The folder has a configuration of this name.")
        await self._write(configuration)

    async def update(self, configuration: Configuration) -> None:
        """Replaces the parts that `configuration` has. Raises EwsError: ErrorItemNotFound, and as `create` does."""
        self._demand_writing()
        await self._write((await self.read()).changed(configuration))

    async def delete(self) -> None:
        """Takes the configuration away. Raises EwsError: ErrorItemNotFound, ErrorAccessDenied."""
        self._demand_writing()
        await self.read()
        await self._put(None)

    def _demand_writing(self) -> None:
        self._place.mailbox.demand(self._home, Right.OWNER)

    async def _number(self, create: bool = False) -> int:
        return (await self._place.mailbox.numbers([self._property], create)).get(self._property, 0)

    async def _read(self) -> Configuration | None:
        mailbox, folder = self._place.mailbox, self._home.id
        number = await self._number()
        if not number:
            return None
        bags = await mailbox.store.folder_properties(mailbox.id, [folder])
        octets = bags.get(folder, {}).get(number << 16 | Type.BINARY)
        if octets is None:
            return None
        packed = decoded(Type.BINARY, octets)
        return _unpacked(packed) if isinstance(packed, bytes) else None

    async def _write(self, configuration: Configuration) -> None:
        await self._put(encoded(Type.BINARY, _packed(configuration)))

    async def _put(self, octets: bytes | None) -> None:
        mailbox, folder = self._place.mailbox, self._home.id
        tag = await self._number(create=True) << 16 | Type.BINARY
        try:
            await mailbox.store.set_folder_properties(mailbox.id, folder, {tag: octets})
        except MailboxError as error:
            if error.code == "LIMIT":
                raise EwsError(Code.DATA_SIZE_LIMIT_EXCEEDED) from None
            raise


def _packed(configuration: Configuration) -> bytes:
    text = {
        "dictionary": configuration.dictionary,
        "xml": _text(configuration.xml_data),
        "binary": _text(configuration.binary_data),
    }
    return zlib.compress(json.dumps(text, separators=(",", ":")).encode())


def _text(octets: bytes | None) -> str | None:
    return base64.b64encode(octets).decode("ascii") if octets is not None else None


def _unpacked(packed: bytes) -> Configuration:
    """Reads what `_packed` made. A program may have written anything into the property over MAPI."""
    try:
        value: Any = json.loads(zlib.decompressobj().decompress(packed, _MAX_UNPACKED))
        dictionary = value["dictionary"]
        return Configuration(
            None if dictionary is None else tuple((_entry(key), _entry(each)) for key, each in dictionary),
            None if value["xml"] is None else base64.b64decode(value["xml"], validate=True),
            None if value["binary"] is None else base64.b64decode(value["binary"], validate=True),
        )
    except (ValueError, TypeError, KeyError, RecursionError, zlib.error):
        raise EwsError(Code.ITEM_CORRUPT) from None


def _entry(parts: Any) -> Entry:
    type_, texts = parts
    if not isinstance(type_, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError
    return Entry(type_, tuple(texts))
