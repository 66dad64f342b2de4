"""Retrieval of cards as they are asked for: chosen properties, and the version (RFC 6352 section 10.4)."""

from __future__ import annotations

from collections.abc import Iterable

from postern.items.calendar_data import Pick, picked
from postern.items.calendar_object import Refused
from postern.items.contact import VERSIONS, Contact
from postern.protocols.vcard.conversion import converted


def retrieve(contact: Contact, version: str = "", pick: Iterable[tuple[str, bool]] | None = None) -> bytes | Refused:
    """The octets of a card in a version ("": the one that it has). `pick` are names of properties with whether the value is left
    out; BEGIN, VERSION and END are always there. Lines that stay keep their octets.

    Bound: linear in the card.
    """
    root = contact.card.root
    if version and version != contact.card.version:
        if version not in VERSIONS:
            return Refused("supported-address-data-conversion", f"vCard {version[:8]} is not made: 3.0 and 4.0 are")
        root = converted(contact.card, version)
    if pick is not None:
        root = picked(root, Pick(root.name, (*pick, ("VERSION", False)), components=()))
    return root.octets()
