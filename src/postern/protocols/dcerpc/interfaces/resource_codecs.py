"""The codecs of named items (`model.resources`) and of out-of-office settings in `mailbox_items`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postern.model.item_store import Busy, RenderedItem
from postern.model.out_of_office import OofAudience, OofState, OutOfOffice
from postern.model.resources import (
    TAG_OCTETS,
    FolderState,
    NewResource,
    Put,
    Reminder,
    ResourceChanges,
    Resources,
)
from postern.protocols.dcerpc.codecs import (
    BOOLEAN,
    LONG_WORDS,
    TEXTS,
    TIMES,
    UUIDS,
    Codec,
    Columns,
    Parameter,
    Parameters,
    Wide,
    column,
    grouped,
    mapping,
    only,
    or_none,
    record,
)
from postern.protocols.dcerpc.interfaces.item_codecs import IDS, octets_or_none
from postern.protocols.dcerpc.interfaces.mailbox_codecs import NOW, PATHS
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, Array, Text
from postern.protocols.dcerpc.ndr_blobs import Blobs

_FLAGS = column(Codec(U32, None, bool))


def _read_tags(data: bytes) -> list[bytes]:
    if len(data) % TAG_OCTETS:
        raise ValueError("half a tag")
    return [data[at : at + TAG_OCTETS] for at in range(0, len(data), TAG_OCTETS)]


TAGS = Codec(Array(U8), b"".join, _read_tags)
"""Entity tags of 16 octets each."""
EXPECTED = Wide(
    (("conditional", U32), ("expected", Array(U8))),
    lambda tag: (tag is not None, tag or b""),
    lambda conditional, tag: tag if conditional else None,
)


def rendered(prefix: str = "") -> Wide:
    """A list of rendered values; their columns have names that begin with `prefix`."""
    return Columns(
        RenderedItem,
        (
            Parameter(f"{prefix}uids", TEXTS, "uid"),
            Parameter(f"{prefix}starts", or_none(NOW), "starts"),
            Parameter(f"{prefix}ends", or_none(NOW), "ends"),
            Parameter(f"{prefix}expand", _FLAGS, "expands"),
            Parameter(f"{prefix}busy", column(Codec(U32, None, Busy)), "busy"),
            Parameter(f"{prefix}private", _FLAGS, "is_private"),
            Parameter(f"{prefix}statuses", TEXTS, "status"),
            Parameter(f"{prefix}organizers", TEXTS, "organizer"),
            Parameter(f"{prefix}reminders", or_none(NOW), "reminds"),
            Parameter(f"{prefix}addresses", _named(PATHS, f"{prefix}address"), "addresses"),
        ),
    )


def _named(codec: Wide, prefix: str) -> Wide:
    """The same codec with parameters of other names: those of a `Wide` codec do not come from where it is used."""
    return Wide([(f"{prefix}_{name}", type_) for name, type_ in codec.types], codec.write, codec.read)


VALUES = only(rendered(), "item's values")
RENDERED_BY_ID = mapping(Parameter("ids", IDS), Parameter("values", rendered()))
NEW_RESOURCES = Columns(
    NewResource,
    (
        Parameter("names", TEXTS, "name"),
        Parameter("classes", TEXTS, "item_class"),
        Parameter("flags", LONG_WORDS),
        Parameter("dates", or_none(NOW), "internal_date"),
        Parameter("rendered", rendered()),
        Parameter("contents", Blobs(), "content"),
    ),
)
_RESOURCES = (
    Parameter("ids", IDS),
    Parameter("folders", IDS),
    Parameter("names", TEXTS),
    Parameter("uids", TEXTS),
    Parameter("tags", TAGS),
    Parameter("sizes", LONG_WORDS),
    Parameter("classes", TEXTS),
    Parameter("created", TIMES),
    Parameter("modified", TIMES),
)


def _columns(fields: Sequence[Parameter]) -> Wide:
    columns = Parameters(fields)

    def read(*wire: Any) -> Resources:
        values = columns.read(wire)
        lengths = [len(each) for each in values]
        if len({*lengths[: len(_RESOURCES)]}) != 1 or lengths[-1] not in (0, lengths[0]):
            raise ValueError("columns of different lengths")
        return Resources(*values)

    return Wide(columns.types, record(Resources, fields).write, read)


RESOURCES = _columns(_RESOURCES)
RESOURCES_WITH_CONTENT = _columns((*_RESOURCES, Parameter("contents", octets_or_none("with_content", "contents"))))
PUT = record(
    Put,
    (
        Parameter("id", I64),
        Parameter("tag", Array(U8)),
        Parameter("is_new", BOOLEAN),
    ),
)
RESOURCE_CHANGES = record(
    ResourceChanges,
    (
        Parameter("change", U64),
        Parameter("there", RESOURCES),
        Parameter("gone", TEXTS),
        Parameter("more", BOOLEAN),
    ),
)
STATES = mapping(
    Parameter("ids", IDS),
    Parameter(
        "states",
        Columns(
            FolderState,
            (
                Parameter("changes", LONG_WORDS, "change"),
                Parameter("item_counts", LONG_WORDS, "items"),
                Parameter("unseen", LONG_WORDS),
                Parameter("sizes", LONG_WORDS, "size"),
            ),
        ),
    ),
)
REMINDERS = Columns(
    Reminder,
    (
        Parameter("mailboxes", UUIDS, "mailbox"),
        Parameter("items", IDS, "item"),
        Parameter("times", TIMES, "at"),
    ),
)
TIME_OR_NONE = Codec(I64, lambda at: NOW if at is None else at, lambda at: None if at == NOW else at)
ADDRESSED = grouped(Parameter("found", TEXTS), Parameter("ids", IDS))
OUT_OF_OFFICE = record(
    OutOfOffice,
    (
        Parameter("state", Codec(U32, None, OofState)),
        Parameter("audience", Codec(U32, None, OofAudience)),
        Parameter("starts", I64),
        Parameter("ends", I64),
        Parameter("internal", Text()),
        Parameter("external", Text()),
    ),
)
