"""addressbook-query of the global address list: a filter becomes searches of the directory, where it can."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from uuid import UUID

from postern.items import card_query, contact
from postern.items.calendar_object import Refused
from postern.items.filters import CardFilter, MatchType, PropertyFilter, TextMatch
from postern.model.address_book import MAX_ENTRIES
from postern.model.resources import Resource, Resources
from postern.services.dav.address_list import TooMany, book_of, everybody, resources_of
from postern.services.dav.mailbox import OwnMailbox

SEARCHED = frozenset({"FN", "N", "EMAIL"})
"""The properties of a card that a directory finds entries by."""
MAX_SEARCHES = 8
"""Searches of the directory for one query; a filter that needs more is held against all entries."""


async def matching(box: OwnMailbox, wanted: CardFilter) -> AsyncGenerator[Resource, None]:
    """Gives the cards that a filter wants. Raises TooMany behind the last that is told, where there may be more.

    A directory finds names and addresses by how their words begin. So a text that stands within a word is not found by a filter
    that becomes a search, though `contains` would have it.
    """
    searches = searches_of(wanted)
    if searches is None or len(searches) > MAX_SEARCHES:
        async with aclosing(everybody(box)) as pages:
            async for entries in pages:
                for resource in _fitting(resources_of(entries), wanted):
                    yield resource
        return
    is_cut = False
    told: set[UUID] = set()
    for text in searches:
        entries = [entry for entry in await book_of(box).resolve(text, MAX_ENTRIES) if entry.guid not in told]
        is_cut = is_cut or len(entries) >= MAX_ENTRIES
        told |= {entry.guid for entry in entries}
        for resource in _fitting(resources_of(entries), wanted):
            yield resource
    if is_cut:
        raise TooMany


def _fitting(resources: Resources, wanted: CardFilter) -> Iterable[Resource]:
    for resource in resources:
        card = contact.read(resource.content or b"") if wanted.properties else None
        if card is None or (not isinstance(card, Refused) and card_query.matches(card, wanted)):
            yield resource


def searches_of(wanted: CardFilter) -> list[str] | None:
    """Returns the texts whose matches, put together, hold all that a filter wants; None where that is no matter of texts."""
    each = [_of_property(part) for part in wanted.properties]
    return _combined(each, wanted.all_of)


def _of_property(part: PropertyFilter) -> list[str] | None:
    if part.name not in SEARCHED or part.is_not_defined or (part.parameters and not part.all_of):
        return None
    return _combined([_of_text(part.name, text) for text in part.texts], part.all_of)


def _combined(each: Sequence[list[str] | None], all_of: bool) -> list[str] | None:
    """Joins conditions: where all must hold, it is enough to search for one, else each must be searched for."""
    if all_of:
        return min((texts for texts in each if texts is not None), key=len, default=None)
    if not each or any(texts is None for texts in each):
        return None
    return list(dict.fromkeys(text for texts in each for text in texts or ()))


def _of_text(name: str, wanted: TextMatch) -> list[str] | None:
    text = wanted.text.strip()
    is_structured = name == "N" and not set(text).isdisjoint(";,\\")
    if wanted.negate or wanted.kind is MatchType.ENDS or is_structured or not text or not text[0].isalnum():
        return None
    return [text]
