"""The columns that rendering makes of a message, and those by which a named item is looked up. They are declared once, for the
arrays that Python sends and the SQL that keeps them.

A new column of a message is a line of COLUMNS, a step of `migrations` that adds it to its table, and a larger
`protocols.mime.message.RENDERING`. One of a named item is a line of ITEM_COLUMNS and such a step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from postern.store.wire import Parameter, byteas, int8s, texts

ENDLESS = 1 << 62
"""The end of a series without end, and the latest of all times that are kept."""
_NO_TIME = -(1 << 63)


class RenderedColumn(NamedTuple):
    """One column. `type` is the type that a value is sent as: bigint, bytea or text. `keeps` makes an SQL expression for what is
    kept out of that for the value sent: with "{} <> 0" the column keeps false for 0 and true for all else."""

    table: str
    name: str
    type: str
    of: Callable[[Any], Any]
    keeps: str = "{}"

    @property
    def parameter(self) -> str:
        """The name of the column's array among the parameters of our functions."""
        return f"{self.table}_{self.name}"

    def kept(self, sent: str) -> str:
        """The SQL expression for the value to keep, made of the expression for the value sent."""
        return self.keeps.format(sent)


def within(number: int) -> int:
    """Returns the nearest number that is kept as a time."""
    return min(max(number, -ENDLESS), ENDLESS)


def _time(name: str) -> RenderedColumn:
    """A column of `resources` with the time of this name, or NULL."""
    get = attrgetter(name)

    def of(rendered: Any) -> int:
        at = get(rendered)
        return _NO_TIME if at is None else within(at)

    return RenderedColumn("resources", name, "bigint", of, f"nullif({{}}, ({_NO_TIME})::bigint)")


_BOOLEAN = "{} <> 0"
COLUMNS = (
    RenderedColumn("contents", "header_size", "bigint", attrgetter("header_size")),
    RenderedColumn("contents", "envelope", "bytea", attrgetter("envelope")),
    RenderedColumn("contents", "structure", "bytea", attrgetter("structure")),
    RenderedColumn("contents", "body", "bytea", attrgetter("body_structure")),
    RenderedColumn("contents", "sent", "bigint", attrgetter("sent")),
    RenderedColumn("contents", "sent_day", "bigint", attrgetter("sent_day")),
    RenderedColumn("contents", "subject", "text", attrgetter("subject")),
    RenderedColumn("contents", "base_subject", "text", attrgetter("base_subject")),
    RenderedColumn("contents", "is_reply", "bigint", attrgetter("is_reply"), _BOOLEAN),
    RenderedColumn("contents", "sort_from", "text", attrgetter("sort_from")),
    RenderedColumn("contents", "sort_to", "text", attrgetter("sort_to")),
    RenderedColumn("contents", "sort_cc", "text", attrgetter("sort_cc")),
    RenderedColumn("contents", "display_from", "text", attrgetter("display_from")),
    RenderedColumn("contents", "display_to", "text", attrgetter("display_to")),
    RenderedColumn("contents", "message_id", "text", attrgetter("message_id")),
    RenderedColumn("contents", "refs", "text", lambda r: " ".join(r.references)),
    RenderedColumn("texts", "fields", "text", attrgetter("fields")),
    RenderedColumn("texts", "body", "text", attrgetter("body")),
)
"""Columns that are made of a `protocols.mime.message.Rendered`."""
ITEM_COLUMNS = (
    RenderedColumn("resources", "uid", "text", attrgetter("uid")),
    _time("starts"),
    RenderedColumn("resources", "ends", "bigint", lambda r: ENDLESS if r.ends is None else within(r.ends)),
    RenderedColumn("resources", "expands", "bigint", attrgetter("expands"), _BOOLEAN),
    RenderedColumn("resources", "busy", "bigint", attrgetter("busy")),
    RenderedColumn("resources", "private", "bigint", attrgetter("is_private"), _BOOLEAN),
    RenderedColumn("resources", "status", "text", attrgetter("status")),
    RenderedColumn("resources", "organizer", "text", attrgetter("organizer")),
    _time("reminds"),
    RenderedColumn("resources", "addresses", "text", lambda r: "\n".join(r.addresses), "string_to_array({}, chr(10))"),
)
"""Columns that are made of a `model.item_store.RenderedItem`."""

_SENT: dict[str, Callable[[list[Any]], Parameter]] = {"bigint": int8s, "bytea": byteas, "text": texts}
_FRAGMENT = re.compile(r"%\{(\w+)(?: (\w+))?\}")


def arrays(items: Sequence[Any], columns: Sequence[RenderedColumn] = COLUMNS) -> list[Parameter]:
    """The renderings as one array for each column."""
    return [_SENT[column.type]([column.of(item) for item in items]) for column in columns]


def filled(statement: str) -> str:
    """Returns the SQL with the columns put in. `%{parameters}` becomes the declaration of all arrays of a message as parameters
    of a function, `%{arguments}` their names. For one table, `%{contents parameters}` becomes the declaration of its arrays,
    `%{contents arrays}` their names, `%{contents columns}` the names of its columns, `%{contents values}` the values to keep of a
    row `g` of the arrays, `%{contents updates}` what ON CONFLICT sets. Raises KeyError for any other fragment."""
    return _FRAGMENT.sub(lambda match: ", ".join(_fragment(match[1], match[2])), statement)


def of_table(table: str) -> list[RenderedColumn]:
    return [column for column in (*COLUMNS, *ITEM_COLUMNS) if column.table == table]


def _declared(column: RenderedColumn) -> str:
    return f"{column.parameter} {column.type}[]"


_OF_ALL: dict[str, Callable[[RenderedColumn], str]] = {
    "parameters": _declared,
    "arguments": lambda column: column.parameter,
}
_OF_TABLE: dict[str, Callable[[RenderedColumn], str]] = {
    "parameters": _declared,
    "arrays": lambda column: column.parameter,
    "columns": lambda column: column.name,
    "values": lambda column: column.kept(f"g.{column.name}"),
    "updates": lambda column: f"{column.name} = excluded.{column.name}",
}


def _fragment(what: str, how: str | None) -> Iterable[str]:
    return map(_OF_ALL[what], COLUMNS) if how is None else map(_OF_TABLE[how], of_table(what))
