"""The columns that rendering makes of a message, declared once for the arrays that Python sends and the SQL that keeps them.

A new column is a line of COLUMNS, a step of `migrations` that adds it to its table, and a larger
`protocols.mime.message.RENDERING`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from postern.protocols.mime.message import Rendered
from postern.store.wire import Parameter, byteas, int8s, texts


class RenderedColumn(NamedTuple):
    """One column. `type` is the type that a value is sent as: bigint, bytea or text. With `is_boolean` the column keeps false for
    0 and true for all else."""

    table: str
    name: str
    type: str
    of: Callable[[Rendered], Any]
    is_boolean: bool = False

    @property
    def parameter(self) -> str:
        """The name of the column's array among the parameters of our functions."""
        return f"{self.table}_{self.name}"

    def kept(self, sent: str) -> str:
        """The SQL expression for the value to keep, made of the expression for the value sent."""
        return f"{sent} <> 0" if self.is_boolean else sent


COLUMNS = (
    RenderedColumn("contents", "header_size", "bigint", attrgetter("header_size")),
    RenderedColumn("contents", "envelope", "bytea", attrgetter("envelope")),
    RenderedColumn("contents", "structure", "bytea", attrgetter("structure")),
    RenderedColumn("contents", "body", "bytea", attrgetter("body_structure")),
    RenderedColumn("contents", "sent", "bigint", attrgetter("sent")),
    RenderedColumn("contents", "sent_day", "bigint", attrgetter("sent_day")),
    RenderedColumn("contents", "subject", "text", attrgetter("subject")),
    RenderedColumn("contents", "base_subject", "text", attrgetter("base_subject")),
    RenderedColumn("contents", "is_reply", "bigint", attrgetter("is_reply"), is_boolean=True),
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

_SENT: dict[str, Callable[[list[Any]], Parameter]] = {"bigint": int8s, "bytea": byteas, "text": texts}
_FRAGMENT = re.compile(r"%\{(\w+)(?: (\w+))?\}")


def arrays(items: Sequence[Rendered]) -> list[Parameter]:
    """The renderings as one array for each of COLUMNS."""
    return [_SENT[column.type]([column.of(item) for item in items]) for column in COLUMNS]


def filled(statement: str) -> str:
    """Returns the SQL with the columns put in. `%{parameters}` becomes the declaration of all arrays as parameters of a function,
    `%{arguments}` their names. For one table, `%{contents arrays}` becomes the names of its arrays, `%{contents columns}` the
    names of its columns, `%{contents values}` the values to keep of a row `g` of the arrays. Raises KeyError for any other
    fragment."""
    return _FRAGMENT.sub(lambda match: ", ".join(_fragment(match[1], match[2])), statement)


def of_table(table: str) -> list[RenderedColumn]:
    return [column for column in COLUMNS if column.table == table]


_OF_ALL: dict[str, Callable[[RenderedColumn], str]] = {
    "parameters": lambda column: f"{column.parameter} {column.type}[]",
    "arguments": lambda column: column.parameter,
}
_OF_TABLE: dict[str, Callable[[RenderedColumn], str]] = {
    "arrays": lambda column: column.parameter,
    "columns": lambda column: column.name,
    "values": lambda column: column.kept(f"g.{column.name}"),
}


def _fragment(what: str, how: str | None) -> Iterable[str]:
    return map(_OF_ALL[what], COLUMNS) if how is None else map(_OF_TABLE[how], of_table(what))
