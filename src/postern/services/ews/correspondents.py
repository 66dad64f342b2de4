"""People, rooms and lists that have an address: how answers name them, and the contacts that the directory's entries are."""

from __future__ import annotations

from typing import NamedTuple

from postern.model.address_book import AddressBookEntry
from postern.model.directory import Recipient, RecipientType
from postern.protocols import xml
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import element, value
from postern.protocols.ews.versions import Version

_TYPES = {RecipientType.GROUP: "PublicDL", RecipientType.CONTACT: "Contact"}


class Correspondent(NamedTuple):
    """Somebody with an address. `type` is a MailboxTypeType (MS-OXWSCDATA section 2.2.5.18). `item` is the contact or the list in
    a mailbox, and `change` its change number. Without `address` nothing more is known than the name."""

    name: str
    address: str
    type: str = "OneOff"
    item: ItemId | None = None
    change: int = 0


def of_entry(entry: AddressBookEntry | Recipient) -> Correspondent:
    """An entry of the directory."""
    return Correspondent(entry.display_name or entry.primary, entry.primary, _TYPES.get(entry.type, "Mailbox"))


def mailbox_markup(who: Correspondent, version: Version, name: str = "t:Mailbox") -> str:
    """An EmailAddressType (MS-OXWSCDATA section 2.2.4.31)."""
    type_ = "" if who.type == "OneOff" and version < Version.V2010 else who.type
    routing = "SMTP" if who.address else "MAPIPDL" if who.item is not None else ""
    return element(
        name,
        value("t:Name", who.name or who.address),
        value("t:EmailAddress", who.address) if who.address else "",
        value("t:RoutingType", routing) if routing else "",
        value("t:MailboxType", type_) if type_ else "",
        element("t:ItemId", Id=str(who.item), ChangeKey=change_key(who.change)) if who.item is not None else "",
    )


def contact_markup(entry: AddressBookEntry, version: Version) -> str:
    """The Contact for an entry of the directory, in the order of ContactItemType (MS-OXWSCONT section 2.2.4.2)."""
    addresses = [
        element("t:Entry", xml.text(f"{'smtp' if place else 'SMTP'}:{address}"), Key=f"EmailAddress{place + 1}")
        for place, address in enumerate(entry.addresses[:3])
    ]
    phones = [
        element("t:Entry", xml.text(number), Key=key)
        for key, number in (("BusinessPhone", entry.telephone), ("MobilePhone", entry.mobile))
        if number
    ]
    texts = {
        "DisplayName": entry.display_name or entry.primary,
        "GivenName": entry.given_name,
        "CompanyName": entry.company,
        "Department": entry.department,
        "JobTitle": entry.title,
        "OfficeLocation": entry.office,
        "Surname": entry.surname,
    }
    shown = {name: value(f"t:{name}", text) if text else "" for name, text in texts.items()}
    return element(
        "t:Contact",
        *(shown["DisplayName"], shown["GivenName"], shown["CompanyName"]),
        element("t:EmailAddresses", *addresses) if addresses else "",
        element("t:PhoneNumbers", *phones) if phones else "",
        "<t:ContactSource>ActiveDirectory</t:ContactSource>",
        *(shown["Department"], shown["JobTitle"], shown["OfficeLocation"], shown["Surname"]),
        value("t:DirectoryId", str(entry.guid)) if version >= Version.V2010_SP2 else "",
    )
