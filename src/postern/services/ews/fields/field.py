"""A property of the schema: how an answer shows it, where it comes from, and how a request changes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from postern.items.properties import Property
from postern.protocols import xml
from postern.protocols.ews.paths import IndexedPath
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.item_view import NOTHING, ItemView, Need

Read = Callable[[ItemView, Shape], str]
"""Returns the property's element as markup; "" where the item has none."""


Write = Callable[[Any, xml.Element | None], None]
"""Puts a property's element into the editor of its kind (`editing.Editor`), or takes the property out (None). Raises EwsError."""


WritePart = Callable[[Any, IndexedPath, xml.Element | None], None]
"""Puts the part of a property that a path names into the editor, out of the property's element, or takes the part out (None).
Raises EwsError."""

Prepare = Callable[[Sequence[ItemView]], Awaitable[None]]
"""Reads for items of one kind and one mailbox, all at once, what `Read` then shows of each. Raises EwsError, MailboxError."""


@dataclass(frozen=True, slots=True)
class Field:
    """A property. `uri` is its path ("item:Subject"), `element` its element in `t:`, `since` the version that brought it, and
    `needs` what it is read from. `default`: the Default shape has it. `single`: FindItem and SyncFolderItems leave it out, for it
    is long (MS-OXWSSRCH section 2.2.4.11). `property` is the MAPI property of the same value, if there is one; `sort` a key of
    `model.search.SortKey`, by which the store sorts. Without `write` it is read-only. `parts` are the paths of its parts,
    which have an index beside ("contacts:EmailAddress" of "contacts:EmailAddresses"), and `write_part` changes one. `prepare` is
    called before `read`. `append` puts a value behind the one that is there. `is_asked`: no base has it, so that it is shown
    only if it is named."""

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
    parts: tuple[str, ...] = ()
    write_part: WritePart | None = None
    prepare: Prepare | None = None
    append: Write | None = None
    is_asked: bool = False
