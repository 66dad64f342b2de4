"""Answers the filters of address book queries (RFC 6352 section 10.5) on cards that are read."""

from __future__ import annotations

from postern.items.collation import has_property
from postern.items.contact import Contact
from postern.items.filters import CardFilter
from postern.items.text import text_of


def matches(contact: Contact, wanted: CardFilter) -> bool:
    """Whether a card is wanted.

    Bound: linear in the card for each filter.
    """
    if not wanted.properties:
        return True
    card = contact.card
    results = (
        has_property(card.root.lines(each.name), each, lambda line: text_of(card.value(line)), lambda line: True)
        for each in wanted.properties
    )
    return all(results) if wanted.all_of else any(results)
