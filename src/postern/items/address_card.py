"""Makes vCards of entries of the global address list."""

from __future__ import annotations

from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.protocols.content_lines import Line, component, escaped, line

_KINDS = {RecipientType.GROUP: "group", RecipientType.ROOM: "location"}
"""KIND of what is no person (RFC 6350 section 6.1.4). vCard 3 has Apple's word for it, which `vcard.conversion` knows."""


def card_of(entry: AddressBookEntry) -> bytes:
    """The entry as a vCard 3.0: the same octets for the same entry, always."""
    lines = [
        line("VERSION", "3.0"),
        line("PRODID", "-//Postern//Global address list//EN"),
        line("UID", f"urn:uuid:{entry.guid}"),
        line("FN", escaped(entry.display_name or entry.primary)),
        line("N", _name(entry)),
    ]
    for address in entry.addresses:
        types = ["INTERNET", "pref"] if address == entry.primary else ["INTERNET"]
        lines.append(line("EMAIL", escaped(address), [("TYPE", types)]))
    if entry.company or entry.department:
        lines.append(line("ORG", _fields(entry.company, entry.department)))
    if entry.office:
        # The extended address of the place of work (RFC 2426 section 3.2.1) is the only field for a room in a building.
        lines.append(line("ADR", _fields("", entry.office, "", "", "", "", ""), [("TYPE", ["WORK"])]))
    lines += _plain(entry)
    if entry.type in _KINDS:
        lines.append(line("X-ADDRESSBOOKSERVER-KIND", _KINDS[entry.type]))
    return component("VCARD", lines).octets()


def _plain(entry: AddressBookEntry) -> list[Line]:
    values = (
        ("TITLE", entry.title, ()),
        ("TEL", entry.telephone, ("WORK", "VOICE")),
        ("TEL", entry.mobile, ("CELL",)),
    )
    return [line(name, escaped(text), [("TYPE", list(types))] if types else ()) for name, text, types in values if text]


def _name(entry: AddressBookEntry) -> str:
    """N, which version 3 must have; that of a group or a room is its whole name."""
    if entry.surname or entry.given_name:
        return _fields(entry.surname, entry.given_name, "", "", "")
    return _fields(entry.display_name or entry.primary, "", "", "", "")


def _fields(*texts: str) -> str:
    return ";".join(map(escaped, texts))
