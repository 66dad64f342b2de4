"""The properties of the folders above the tree, which have no bag: they are in that of the inbox, under names of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from uuid import UUID

from postern.items.properties import Property
from postern.model.folders import FolderKind, FolderNode
from postern.model.item_store import PropertyName
from postern.protocols.ews.ids import ABOVE
from postern.services.ews.access import Mailbox
from postern.services.ews.extended import OURS, tag_of

SET = UUID("5c1b9e7a-20d4-4f0b-8a1e-7d64c2f3b915")
"""The set of the names of these properties."""


async def home_of(mailbox: Mailbox, node: FolderNode) -> FolderNode:
    """The folder whose bag has the properties of a folder. Raises EwsError ErrorFolderNotFound."""
    return await mailbox.of_kind(FolderKind.INBOX) if node.id in ABOVE else node


def kept_as(folder: int, property_: Property) -> Property:
    """The property of the inbox that holds a property of a folder above the tree. The name tells the server's own properties,
    which are not copied with a folder, and has a digest, for the name of the other may be as long as a name can be."""
    name = property_.name
    key = f"{property_.id}" if name is None else f"{name.set} {name.lid} {name.name}"
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return Property("", property_.type, 0, PropertyName(SET, None, f"{OURS}{folder}:{digest}"))


def names_of(folder: int, properties: Iterable[Property]) -> list[PropertyName]:
    """The names of the properties that hold those of a folder above the tree."""
    return [kept.name for each in properties if (kept := kept_as(folder, each)).name is not None]


async def bag_of(mailbox: Mailbox, folder: int, properties: Iterable[Property]) -> dict[int, bytes]:
    """Those of these properties that a folder above the tree has, by the tags that they have in the bag of a folder."""
    asked = list(properties)
    inbox = next((node for node in (await mailbox.nodes()).values() if node.kind is FolderKind.INBOX), None)
    if inbox is None:
        return {}
    bag = (await mailbox.store.folder_properties(mailbox.id, [inbox.id])).get(inbox.id, {})
    own = [each.name for each in asked if each.name is not None]
    numbers = await mailbox.numbers([*own, *names_of(folder, asked)])
    return {
        tag: bag[held]
        for each in asked
        if (tag := tag_of(each, numbers)) and (held := tag_of(kept_as(folder, each), numbers)) in bag
    }
