"""The codecs of `mailbox_items`: items by id, folders by parent, properties and rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from postern.model.folders import FolderChanges, FolderNode, Right
from postern.model.item_store import ItemChanges, PropertyName, StoredItem
from postern.model.items import NewItem
from postern.protocols.dcerpc.codecs import (
    BOOLEAN,
    LONG_WORDS,
    TEXTS,
    TIMES,
    UUIDS,
    WORDS,
    Codec,
    Columns,
    Parameter,
    Wide,
    only,
    read_signed_words,
    read_uuids,
    read_words,
    record,
    write_signed_words,
    write_uuids,
    write_words,
)
from postern.protocols.dcerpc.interfaces.mailbox_codecs import ANSWERED_KIND
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, Array, Blobs

IDS = Codec(Array(I64), write_signed_words, read_signed_words)
"""Ids of items or folders: signed words of 64 bits."""
_NONE = -(1 << 63)
_TABLE: Any = ANSWERED_KIND.write
_KINDS = Codec(
    Array(U32),
    lambda kinds: write_words([_TABLE(kind) for kind in kinds]),
    lambda data: [ANSWERED_KIND.read(number) for number in read_words(data)],  # type: ignore[misc]  # it has both
)


def _or_none(absent: int) -> Codec:
    """Numbers of 64 bits, or None."""
    return Codec(
        Array(I64),
        lambda values: write_signed_words([absent if value is None else value for value in values]),
        lambda data: [None if value == absent else value for value in read_signed_words(data)],
    )


# Items

NEW_ITEMS = Columns(
    NewItem,
    (
        Parameter("flags", LONG_WORDS),
        Parameter("dates", _or_none(_NONE), "internal_date"),
        Parameter("classes", TEXTS, "item_class"),
        Parameter("contents", Blobs(), "content"),
    ),
)
_CONTENTS = Wide(
    (("with_content", Array(U32)), ("contents", Blobs())),
    lambda contents: (write_words([content is not None for content in contents]), [c or b"" for c in contents]),
    lambda present, contents: [
        content if is_there else None for is_there, content in zip(read_words(present), contents, strict=True)
    ],
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
        Parameter("contents", _CONTENTS, "content"),
    ),
)
ITEM = only(ITEMS, "item")
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
COPIES = Wide(
    (("sources", Array(I64)), ("copies", Array(I64))),
    lambda copies: (write_signed_words(list(copies)), write_signed_words(list(copies.values()))),
    lambda sources, copies: dict(zip(read_signed_words(sources), read_signed_words(copies), strict=True)),
)

# Properties


def _write_bag(bag: Mapping[int, bytes]) -> tuple[bytes, list[bytes]]:
    return write_signed_words(list(bag)), list(bag.values())


BAG = Wide(
    (("tags", Array(I64)), ("values", Blobs())),
    _write_bag,
    lambda tags, values: dict(zip(read_signed_words(tags), values, strict=True)),
)
BAG_CHANGES = Wide(
    (("tags", Array(I64)), ("with_value", Array(U32)), ("values", Blobs())),
    lambda values: (write_signed_words(list(values)), *_CONTENTS.write(list(values.values()))),
    lambda tags, present, values: dict(zip(read_signed_words(tags), _CONTENTS.read(present, values), strict=True)),
)
NAMES = Columns(
    PropertyName,
    (Parameter("sets", UUIDS, "set"), Parameter("lids", _or_none(-1), "lid"), Parameter("names", TEXTS, "name")),
)


def _write_numbered(names: Mapping[int, PropertyName]) -> Sequence[Any]:
    return write_words(list(names)), *NAMES.write(list(names.values()))


NUMBERED_NAMES = Wide(
    (("numbers", Array(U32)), *NAMES.types),
    _write_numbered,
    lambda numbers, *names: dict(zip(read_words(numbers), NAMES.read(*names), strict=True)),
)

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


def _write_rights(rights: Mapping[UUID, Right]) -> tuple[bytes, bytes]:
    return write_uuids(list(rights)), write_words(list(rights.values()))


RIGHTS = Wide(
    (("grantees", Array(U8)), ("rights", Array(U32))),
    _write_rights,
    lambda grantees, rights: dict(zip(read_uuids(grantees), map(Right, read_words(rights)), strict=True)),
)
GRANTED = Wide(
    (("keeps", U32), ("rights", U32)),
    lambda rights: (rights is not None, rights or 0),
    lambda keeps, rights: Right(rights) if keeps else None,
)
