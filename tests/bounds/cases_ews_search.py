"""Worst cases of what reads searches and synchronization states of Exchange Web Services."""

from __future__ import annotations

from contextlib import suppress

from postern.protocols import xml
from postern.protocols.ews import conditions, query_strings, sync_states, views
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, TYPES
from postern.protocols.ews.paths import FieldPath
from postern.services.ews import finding, item_values, judging, store_terms
from postern.services.scheduling import aside
from tests.bounds.growth import Cases, Work

E = "protocols.ews."
S = "services.ews."
SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'
CONTAINS = f'<t:Contains>{SUBJECT}<t:Constant Value="a"/></t:Contains>'


def _refused(work: Work) -> Work:
    def refused() -> None:
        with suppress(EwsError):
            work()

    return refused


def _element(markup: str) -> xml.Element:
    bounds = xml.Bounds(octets=1 << 30, elements=1 << 30, attributes=1 << 30, value=1 << 30)
    return xml.read(f'<m:x xmlns:t="{TYPES}" xmlns:m="{MESSAGES}">{markup}</m:x>'.encode(), bounds)


def _restriction(size: int) -> Work:
    element = _element(f"<t:And>{CONTAINS * (size // len(CONTAINS))}</t:And>")
    return _refused(lambda: conditions.read_restriction(element))


def _seek(size: int) -> Work:
    inner = CONTAINS * (size // len(CONTAINS))
    element = _element(
        f'<m:SeekToConditionPageItemView BasePoint="End"><t:Condition><t:Or>{inner}</t:Or></t:Condition>'
        "</m:SeekToConditionPageItemView>"
    )
    return _refused(lambda: views.read_view(element))


def _order(size: int) -> Work:
    key = f'<t:FieldOrder Order="Ascending">{SUBJECT}</t:FieldOrder>'
    element = _element(key * (size // len(key)))
    return _refused(lambda: views.read_order(element))


def _grouping(size: int) -> Work:
    element = _element(f"<m:GroupBy>{SUBJECT * (size // len(SUBJECT))}</m:GroupBy>")
    return _refused(lambda: views.read_grouping(element))


def _conditions(size: int) -> conditions.Condition:
    term = conditions.Contains(FieldPath("item:Subject"), "a" * 50)
    return conditions.And((term,) * (size // 100))


CASES: Cases = {
    E + "conditions.read_restriction": _restriction,
    E + "conditions.with_times": lambda size: (lambda known: lambda: conditions.with_times(known, str))(
        _conditions(size)
    ),
    E + "views.read_view": _seek,
    E + "views.read_order": _order,
    E + "views.read_grouping": _grouping,
    E + "query_strings.read_query": lambda size: _refused(lambda: query_strings.read_query("(" * size, 0)),
    E + "query_strings.read_query: quotation marks": lambda size: _refused(
        lambda: query_strings.read_query('"' * size, 0)
    ),
    S + "judging.key_of": lambda size: lambda: judging.key_of("1" * size),
    S + "judging.stands_on_words": lambda size: (
        lambda text, wanted: lambda: judging.stands_on_words(text, wanted, False)
    )("x" + "a" * size, "a" * (size // 4)),
    S + "judging.stands_on_words: words that overlap": lambda size: (
        lambda text, wanted: lambda: judging.stands_on_words(text, wanted, True)
    )("ab " * (size // 3), "ab " * (size // 12) + "a"),
    "services.scheduling.aside.may_recur": lambda size: (lambda octets: lambda: aside.may_recur(octets))(
        b"R\r\n " * (min(size, aside.AT_ONCE) // 4)
    ),
    S + "judging.paths_of": lambda size: (lambda known: lambda: judging.paths_of(known))(_conditions(size)),
    S + "store_terms.pushed": lambda size: (
        lambda known: lambda: store_terms.pushed(known, item_values.named_by_schema, True)
    )(_conditions(size)),
    S + "item_values.texts_of": lambda size: (lambda markup: lambda: item_values.texts_of(markup))("<" * size),
    S + "item_values.texts_of: many texts": lambda size: (lambda markup: lambda: item_values.texts_of(markup))(
        "<a>b</a>" * (size // 8)
    ),
    S + "finding.in_mail": lambda size: lambda: finding.in_mail("IPF.Note" + "A" * size),
    E + "sync_states.read_items_state": lambda size: _refused(lambda: sync_states.read_items_state("A" * size)),
    E + "sync_states.read_folders_state": lambda size: _refused(lambda: sync_states.read_folders_state(" " * size)),
}
