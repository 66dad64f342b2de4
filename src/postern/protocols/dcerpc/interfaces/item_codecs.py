"""The codecs of `mailbox_items`: items by id, folders by parent, properties and rights."""

from __future__ import annotations

from postern.model.folders import FolderChanges, FolderNode, Right, SharedFolder
from postern.model.item_store import FoundItems, ItemChanges, ItemColumns, PropertyName, StoredItem
from postern.model.items import NewItem
from postern.protocols.dcerpc.codecs import (
    BOOLEAN,
    LONG_WORDS,
    SIGNED_WORDS,
    TEXTS,
    TIMES,
    UUIDS,
    WORDS,
    Codec,
    Columns,
    Parameter,
    Wide,
    column,
    grouped,
    mapping,
    only,
    or_none,
    pairs,
    read_words,
    record,
    write_words,
)
from postern.protocols.dcerpc.interfaces.mailbox_codecs import ANSWERED_KIND, KIND, NOW
from postern.protocols.dcerpc.ndr import I64, U32, U64, Array
from postern.protocols.dcerpc.ndr_blobs import Blobs

IDS = SIGNED_WORDS
"""Ids of items or folders."""
_KINDS = column(ANSWERED_KIND)


def octets_or_none(present: str, octets: str) -> Wide:
    """Carries a list of values that are octets or None. The column `present` says which of `octets` count."""
    return Wide(
        ((present, Array(U32)), (octets, Blobs())),
        lambda values: (write_words([value is not None for value in values]), [value or b"" for value in values]),
        lambda flags, values: [
            value if is_there else None for is_there, value in zip(read_words(flags), values, strict=True)
        ],
    )


# Items

NEW_ITEMS = Columns(
    NewItem,
    (
        Parameter("flags", LONG_WORDS),
        Parameter("dates", or_none(NOW), "internal_date"),
        Parameter("classes", TEXTS, "item_class"),
        Parameter("contents", Blobs(), "content"),
    ),
)
ITEMS = Columns(
    StoredItem,
    (
        Parameter("ids", IDS, "id"),
        Parameter("folders", IDS, "folder"),
        Parameter("uids", WORDS, "uid"),
        Parameter("classes", TEXTS, "item_class"),
        Parameter("sizes", LONG_WORDS, "size"),
        Parameter("changes", LONG_WORDS, "change"),
        Parameter("flags", LONG_WORDS),
        Parameter("dates", TIMES, "internal_date"),
        Parameter("created", TIMES),
        Parameter("contents", octets_or_none("with_content", "contents"), "content"),
    ),
)
ITEM = only(ITEMS, "item")
ITEM_COLUMNS = record(
    ItemColumns,
    (
        Parameter("items", ITEMS),
        Parameter("envelopes", Blobs()),
        Parameter("structures", Blobs()),
        Parameter("headers", Blobs()),
        Parameter("others", LONG_WORDS),
    ),
)
FOUND_ITEMS = record(FoundItems, (Parameter("ids", IDS), Parameter("total", U64)))
CHANGES = record(
    ItemChanges,
    (
        Parameter("change", U64),
        Parameter("created", IDS),
        Parameter("changed", IDS),
        Parameter("removed", IDS),
        Parameter("moved", IDS),
        Parameter("more", BOOLEAN),
    ),
)
FOLDER_OR_ALL = Codec(I64, lambda folder: folder or 0, lambda folder: folder or None)
COPIES = mapping(Parameter("sources", IDS), Parameter("copies", IDS))

# Properties

_TAGS = Parameter("tags", SIGNED_WORDS)
BAG = mapping(_TAGS, Parameter("values", Blobs()))
BAG_CHANGES = mapping(_TAGS, Parameter("values", octets_or_none("with_value", "values")))
NAMES = Columns(
    PropertyName,
    (Parameter("sets", UUIDS, "set"), Parameter("lids", or_none(-1), "lid"), Parameter("names", TEXTS, "name")),
)

NUMBERED_NAMES = mapping(Parameter("numbers", WORDS), Parameter("names", NAMES))

# Folders and rights


def nodes(prefix: str = "") -> Wide:
    """A list of folders; their columns have names that begin with `prefix`."""
    return Columns(
        FolderNode,
        (
            Parameter(f"{prefix}ids", IDS, "id"),
            Parameter(f"{prefix}parents", IDS, "parent"),
            Parameter(f"{prefix}names", TEXTS, "name"),
            Parameter(f"{prefix}classes", TEXTS, "folder_class"),
            Parameter(f"{prefix}kinds", _KINDS, "kind"),
            Parameter(f"{prefix}changes", LONG_WORDS, "change"),
        ),
    )


NODE = only(nodes(), "folder")
FOLDER_CHANGES = record(
    FolderChanges,
    (
        Parameter("change", U64),
        Parameter("created", nodes("created_")),
        Parameter("changed", nodes("changed_")),
        Parameter("removed", IDS),
    ),
)

_GRANTEES = Parameter("grantees", UUIDS)
_RIGHTS = Parameter("rights", column(Codec(U32, None, Right)))
RIGHTS = mapping(_GRANTEES, _RIGHTS)
GRANTED = Wide(
    (("keeps", U32), ("rights", U32)),
    lambda rights: (rights is not None, rights or 0),
    lambda keeps, rights: Right(rights) if keeps else None,
)
SHARED = Columns(
    SharedFolder,
    (
        Parameter("mailboxes", UUIDS, "mailbox"),
        Parameter("folders", nodes(), "folder"),
        Parameter("grantees", UUIDS, "grantee"),
        _RIGHTS,
    ),
)
ALL_RIGHTS = grouped(
    Parameter("folders", IDS),
    Parameter("entries", pairs(_GRANTEES, _RIGHTS)),
    dict,
    dict.items,
)
"""Rights by folder and grantee: `counts` says how many entries each folder has."""
FOLDER_NAMES = mapping(Parameter("named_kinds", column(KIND)), Parameter("names", TEXTS))
BAGS = grouped(
    Parameter("owners", IDS), Parameter("bags", pairs(_TAGS, Parameter("values", Blobs()))), dict, dict.items
)
"""Bags by folder or item: `counts` says how many of the properties each has."""
