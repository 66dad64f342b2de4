"""Contacts and lists of contacts: vCards (RFC 2426, RFC 6350), and what the store keeps beside their octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from postern.items.calendar_object import MAX_UID, Refused
from postern.items.text import readable
from postern.protocols.content_lines import Defect, Line, unescaped
from postern.protocols.mime.charsets import decode
from postern.protocols.vcard.cards import Card, read_cards, types_of

ITEM_CLASS = "IPM.Contact"
LIST_CLASS = "IPM.DistList"
MAX_OCTETS = 16 << 20
"""Octets of a card: photos are in it."""
MAX_ADDRESSES = 100
"""Mail addresses, and again telephone numbers, of a card that are rendered."""
MAX_MEMBERS = 10_000
"""Members of a list that are rendered."""
MAX_TEXT = 1_000
"""Characters of a rendered value."""
VERSIONS = ("3.0", "4.0")
"""Versions that an address book may store (RFC 6352 section 6.2.2); 2.1 can be read and imported."""


@dataclass(slots=True, eq=False)
class Contact:
    """A contact that was read."""

    card: Card
    uid: str
    defects: list[Defect]


class RenderedContact(NamedTuple):
    """The searched values of a contact. `emails` and `telephones` are in the order of preference, `kind` is "individual",
    "group", "org" or "location", `members` are those of a group as it names them: "urn:uuid:..." or "mailto:..."."""

    uid: str
    name: str
    family: str
    first: str
    emails: tuple[str, ...]
    telephones: tuple[str, ...]
    organization: str
    title: str
    kind: str
    members: tuple[str, ...]


def read(octets: bytes) -> Contact | Refused:
    """Reads a card. Of several in one document it takes the first, with a defect.

    Bound: linear in the octets; at most MAX_OCTETS.
    """
    if len(octets) > MAX_OCTETS:
        return Refused("max-resource-size", "the card is too large")
    cards, defects = read_cards(octets, decode)
    if not cards:
        return Refused("valid-address-data", "there is no VCARD")
    if len(cards) > 1:
        defects = [*defects, Defect(0, "more than one card")]
    return Contact(cards[0], readable(cards[0].text("UID")), defects)


def check(contact: Contact) -> Refused | None:
    """Says why an address book must not store the card (RFC 6352 section 5.1); None: it may. Defects that can be read are no
    reason.

    Bound: linear in the card.
    """
    if any(defect.what in ("more than one card", "not read to its end") for defect in contact.defects):
        return Refused("valid-address-data", "an address book takes one card at a time")
    if contact.card.version not in VERSIONS:
        return Refused("supported-address-data", f"vCard {contact.card.version[:8]} is not stored: 3.0 and 4.0 are")
    if not contact.uid:
        return Refused("valid-address-data", "there is no UID")
    if len(contact.uid.encode("utf-8", "replace")) > MAX_UID:
        return Refused("valid-address-data", f"the UID has more than {MAX_UID} octets")
    return None


def render(contact: Contact) -> RenderedContact:
    """The searched values of a contact.

    Bound: linear in the card; at most MAX_ADDRESSES addresses and MAX_MEMBERS members.
    """
    card = contact.card
    names = _fields(card, "N")
    emails = _preferred(card, "EMAIL", MAX_ADDRESSES)
    organization = " / ".join([part for part in _fields(card, "ORG") if part])
    family, first = names[0] if names else "", names[1] if len(names) > 1 else ""
    shown = _text(card, "FN") or " ".join([part for part in (first, family) if part]) or organization
    return RenderedContact(
        uid=contact.uid,
        name=(shown or next(iter(emails), ""))[:MAX_TEXT],
        family=family[:MAX_TEXT],
        first=first[:MAX_TEXT],
        emails=emails,
        telephones=_preferred(card, "TEL", MAX_ADDRESSES),
        organization=organization[:MAX_TEXT],
        title=_text(card, "TITLE")[:MAX_TEXT],
        kind=kind_of(card),
        members=_members(card),
    )


def kind_of(card: Card) -> str:
    """KIND in lower case; Apple's X- property says it in vCard 3."""
    kind = _text(card, "KIND") or _text(card, "X-ADDRESSBOOKSERVER-KIND")
    return kind.lower()[:32] or "individual"


def _members(card: Card) -> tuple[str, ...]:
    lines = card.lines("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")[:MAX_MEMBERS]
    return tuple([readable(card.value(line)).strip()[:MAX_TEXT] for line in lines])


def _text(card: Card, name: str) -> str:
    return " ".join(readable(card.text(name)).split())


def _fields(card: Card, name: str) -> list[str]:
    for line in card.lines(name):
        fields = [" ".join(readable(field).split()) for field in card.fields(line)]
        if any(fields):
            return fields
    return []


def _preferred(card: Card, name: str, most: int) -> tuple[str, ...]:
    """The values of a property, without repetitions, the preferred ones first."""
    values: list[tuple[int, str]] = []
    for line in card.lines(name):
        value = readable(unescaped(card.value(line))).strip()
        if value:
            bare = (
                value[value.find(":") + 1 :] if value[:7].lower() == "mailto:" or value[:4].lower() == "tel:" else value
            )
            values.append((preference_of(line), bare[:MAX_TEXT]))
    values.sort(key=lambda pair: pair[0])
    return tuple(dict.fromkeys(value for _, value in values[:most]))


def preference_of(line: Line) -> int:
    """From 1, the most preferred, to 101: PREF of vCard 4 (RFC 6350 section 5.3), or TYPE=pref of vCard 3."""
    digits = line.parameter("PREF").strip()
    if digits.isascii() and digits.isdigit() and len(digits) < 4:
        return min(max(int(digits), 1), 100)
    return 1 if "pref" in types_of(line) else 101
