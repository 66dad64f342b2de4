"""Contacts that a request makes or changes: vCards, which CardDAV shows, too."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from postern.items import contact
from postern.items.calendar_object import Refused
from postern.items.contact import Contact, RenderedContact
from postern.items.contact_properties import CONTACT_PROPERTIES
from postern.items.stored import card_values
from postern.model.item_store import RenderedItem
from postern.protocols.content_lines import Component, component, escaped, line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call
from postern.services.ews.fields.mapped import MapSource
from postern.services.ews.item_view import ItemView
from postern.services.ews.map_editor import MapEditor
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside


def card_of(view: ItemView) -> Contact:
    """The card of an item, which is read once; an empty one for content that is none."""
    card: Contact | None = view.parsed.get(card_of)
    if card is None:
        read = contact.read(view.content or b"")
        card = view.parsed[card_of] = read if isinstance(read, Contact) else new_card("")
    return card


async def rendered_card(view: ItemView) -> RenderedContact:
    """The values of a card by which it is looked up."""
    return await aside(view.content or b"", lambda: contact.render(card_of(view)))


def new_card(uid: str) -> Contact:
    """A card that says nothing, of the version that all clients of CardDAV read."""
    lines = [line("VERSION", "3.0"), line("PRODID", "-//Postern//Exchange Web Services//EN"), line("UID", uid)]
    card = contact.read(component("VCARD", lines).octets())
    assert isinstance(card, Contact)
    return card


CONTACTS = MapSource(CONTACT_PROPERTIES, card_of)
_NAME = CONTACTS.property("PidTagDisplayName")
_SUBJECT = CONTACTS.property("PidTagSubject")
_FILE_AS = CONTACTS.property("PidLidFileUnder")
_FILE_AS_ID = CONTACTS.property("PidLidFileUnderId")
NO_MAPPING, DISPLAY_NAME, FIRST_NAME, LAST_NAME, COMPANY = -1, 0x3001, 0x3A06, 0x3A11, 0x3A16
MAPPINGS = {
    "None": NO_MAPPING,
    "LastCommaFirst": 0x8017,
    "FirstSpaceLast": 0x8037,
    "Company": COMPANY,
    "LastCommaFirstCompany": 0x8019,
    "CompanyLastFirst": 0x8032,
    "LastFirst": 0x8030,
    "LastFirstCompany": 0x8034,
    "CompanyLastCommaFirst": 0x8018,
    "LastFirstSuffix": 0x8036,
    "LastSpaceFirstCompany": 0x8035,
    "CompanyLastSpaceFirst": 0x8033,
    "LastSpaceFirst": 0x8031,
    "DisplayName": DISPLAY_NAME,
    "FirstName": FIRST_NAME,
    "LastFirstMiddleSuffix": 0x8038,
    "LastName": LAST_NAME,
    "Empty": 0,
}
"""FileAsMapping by PidLidFileUnderId (MS-OXOCNTC section 2.2.1.1.12)."""
_PARTS = {0x8017, 0x8018, 0x8019, 0x8031, 0x8033, 0x8035}, {0x8018, 0x8032, 0x8033}, {0x8019, 0x8034, 0x8035}
"""The mappings with a comma or a space behind the last name, with the company before the name, and with it behind."""


class ContactEditor(MapEditor):
    """A contact."""

    map = CONTACT_PROPERTIES
    folder_class = "IPF.Contact"
    misplaced = Code.CANNOT_CREATE_CONTACT_IN_NON_CONTACT_FOLDER

    def __init__(self, call: Call, place: Place, view: ItemView | None) -> None:
        super().__init__(call, place, view, contact.ITEM_CLASS)
        self.item: Contact = self._card()

    def _card(self) -> Contact:
        """The card of the item that is changed, or a new one. Raises EwsError ErrorCorruptData."""
        if self.view is None:
            return new_card(str(uuid4()))
        card = contact.read(self.view.content or b"")
        if isinstance(card, Refused):
            raise EwsError(Code.CORRUPT_DATA)
        return card

    @property
    def component(self) -> Component:
        return self.item.card.root

    @property
    def name_end(self) -> str:
        return ".vcf"

    def content(self) -> bytes:
        self.apply()
        octets = self.item.card.root.octets()
        if len(octets) > contact.MAX_OCTETS:
            raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
        return octets

    async def rendered(self) -> RenderedItem | None:
        self.apply()
        return await asyncio.to_thread(card_values, self.item)

    def apply(self) -> None:
        subject = self._values.pop(_SUBJECT, None)
        if subject and _NAME not in self._values:
            self.put(_NAME, subject)
        if isinstance(mapping := self._values.get(_FILE_AS_ID), int) and mapping != NO_MAPPING:
            self.put(_FILE_AS, self._filed(mapping) or None)
        super().apply()
        self._complete()

    def _complete(self) -> None:
        """Gives the card the lines that it must have: N in version 3, and FN (RFC 2426 sections 3.1.1 and 3.1.2)."""
        root = self.item.card.root
        if root.first("N") is None:
            root.entries.append(line("N", ";;;;"))
        if not self.item.card.text("FN"):
            root.replace("FN", line("FN", escaped(contact.render(self.item).name or "-")))

    def _text(self, canonical: str) -> str:
        held = self.value(CONTACTS.property(canonical))
        return str(held) if held is not None else ""

    def _filed(self, mapping: int) -> str:
        """The name under which the contact is filed by a mapping."""
        first, last, company = (
            self._text("PidTagGivenName"),
            self._text("PidTagSurname"),
            self._text("PidTagCompanyName"),
        )
        alone = {
            DISPLAY_NAME: self._text("PidTagDisplayName"),
            FIRST_NAME: first,
            LAST_NAME: last,
            COMPANY: company,
            0: "",
        }
        if mapping in alone:
            return alone[mapping]
        names = " ".join(filter(None, (first, self._text("PidTagMiddleName"))))
        suffix = self._text("PidTagGeneration")
        spaced, company_before, company_behind = _PARTS
        if mapping == 0x8037:
            name = " ".join(filter(None, (names, last, suffix)))
        else:
            comma = "," if mapping in (0x8017, 0x8018, 0x8019) else ""
            between = f"{comma} " if mapping in spaced else ""
            name = between.join(filter(None, (last, names)))
            if mapping in (0x8036, 0x8038) and suffix:
                name = f"{name} {suffix}"
        before = [company] if mapping in company_before else []
        behind = [company] if mapping in company_behind else []
        return "\r\n".join(filter(None, [*before, name, *behind]))
