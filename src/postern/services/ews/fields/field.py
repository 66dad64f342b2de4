"""A property of the schema: how an answer shows it, where it comes from, and how a request changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from postern.items.properties import Property
from postern.protocols import xml
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.item_view import NOTHING, ItemView, Need

Read = Callable[[ItemView, Shape], str]
"""Returns the property's element as markup; "" where the item has none."""


Write = Callable[[Any, xml.Element | None], None]
"""Puts a property's element into the editor of its kind (`editing.Editor`), or takes the property out (None). Raises EwsError."""


@dataclass(frozen=True, slots=True)
class Field:
    """A property. `uri` is its path ("item:Subject"), `element` its element in `t:`, `since` the version that brought it, and
    `needs` what it is read from. `default`: the Default shape has it. `single`: FindItem and SyncFolderItems leave it out, for it
    is long (MS-OXWSSRCH section 2.2.4.11). `property` is the MAPI property of the same value, if there is one; `sort` a key of
    `model.search.SortKey`, and `search` one of `model.search.SearchTerm`, by which the store sorts and searches by it. Without
    `write` it is read-only. `bag` are the named properties that it reads from the bag."""

    uri: str
    element: str
    read: Read
    since: Version = Version.V2007
    needs: Need = NOTHING
    default: bool = False
    single: bool = False
    property: Property | None = None
    write: Write | None = None
    sort: str = ""
    search: str = ""
    bag: tuple[Property, ...] = ()
