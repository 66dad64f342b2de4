"""Searches a directory as an address book, for both adapters: the filters, and entries as `model.address_book` has them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import UUID

from postern.directory import entries
from postern.directory.entries import Values
from postern.directory.ldap.client import SUBTREE, Client, Entry, Refused, escape
from postern.model.address_book import MAX_ENTRIES, AddressBookEntry
from postern.model.directory import DirectoryUnavailable
from postern.model.domains import fold, spellings

_HIDDEN = "msExchHideFromAddressLists"
_TEXTS = {
    "given_name": "givenName",
    "surname": "sn",
    "title": "title",
    "company": "company",
    "department": "department",
    "office": "physicalDeliveryOfficeName",
    "telephone": "telephoneNumber",
    "mobile": "mobile",
}
_NAMES = ("objectGUID", "objectClass", "displayName", "proxyAddresses", "msExchResourceMetaData", _HIDDEN)
_ATTRIBUTES = (*_NAMES, *_TEXTS.values())
_IN_LIST = f"(proxyAddresses=*)(!({_HIDDEN}=TRUE))"
_MAX_TEXT = 256
_MAX_WORDS = 5


async def resolve(client: Client, base: str, text: str, most: int, within: bool) -> list[AddressBookEntry]:
    """Searches below `base`, as `AddressBook.resolve` says. `within` finds the later words of a display name too, which a domain
    would read all entries for; there the surname stands in an attribute of its own.

    Active Directory's own resolution (the attribute anr, MS-ADTS section 3.1.1.3.1.3.4) is not used. It compares proxyAddresses
    with their "SMTP:", so that the letter s finds everybody.
    """
    text = " ".join(text.split())
    if len(text) > _MAX_TEXT or most < 1 or not text.isprintable():
        return []
    which = f"(&{_IN_LIST}{_begins(text, within)})" if text else f"(&{_IN_LIST})"
    matches = await _first(client, base, which, min(most, MAX_ENTRIES))
    return sorted(matches, key=lambda entry: (fold(entry.display_name), entry.primary))


async def rooms(client: Client, base: str, most: int) -> list[AddressBookEntry]:
    """The rooms, as `AddressBook.rooms` says."""
    which = f"(&{_IN_LIST}(msExchResourceMetaData={entries.ROOM}))"
    matches = await _first(client, base, which, min(most, MAX_ENTRIES))
    return sorted(matches, key=lambda entry: (fold(entry.display_name), entry.primary))


async def with_guids(client: Client, base: str, guids: Sequence[UUID]) -> dict[UUID, AddressBookEntry]:
    """The entries of these objectGUIDs, as `AddressBook.address_book_entries` says."""
    answer: dict[UUID, AddressBookEntry] = {}
    for which in entries.guid_filters(guids):
        matches = await _first(client, base, f"(&{_IN_LIST}{which})", entries.GUIDS_AT_ONCE)
        answer.update({entry.guid: entry for entry in matches})
    return answer


async def everybody(client: Client, base: str, page: int) -> AsyncGenerator[list[AddressBookEntry], None]:
    """All entries, as `AddressBook.everybody` says. The pages come over a connection of their own: on a shared one, servers drop
    the pages that they have prepared when another search of pages begins (RFC 2696 section 3)."""
    own = client.apart()
    try:
        async with aclosing(own.pages(base, SUBTREE, f"(&{_IN_LIST})", _ATTRIBUTES, page)) as pages:
            async for matches in pages:
                yield _entries(matches)
    except Refused as error:
        raise DirectoryUnavailable(str(error)) from None
    finally:
        await own.close()


async def _first(client: Client, base: str, which: str, most: int) -> list[AddressBookEntry]:
    return _entries(await client.search_some(base, SUBTREE, which, _ATTRIBUTES, most))


def _entries(matches: Sequence[Entry]) -> list[AddressBookEntry]:
    return [_entry(match.attributes) for match in matches if "objectGUID" in match.attributes]


def _entry(values: Values) -> AddressBookEntry:
    plain = entries.recipient(values, {})
    texts = {name: entries.text(values, attribute) for name, attribute in _TEXTS.items()}
    return AddressBookEntry(plain.guid, plain.type, plain.display_name, plain.addresses, **texts)


def _begins(text: str, within: bool) -> str:
    """Names or addresses that begin with the text, or names that begin with its words."""
    beginnings = [escape(beginning) for beginning in text.split()[:_MAX_WORDS]]
    each = "".join(_name(beginning, within) for beginning in beginnings)
    return f"(|(&{each})(displayName={escape(text)}*)(mailNickname={escape(text)}*){_addresses(text)})"


def _name(beginning: str, within: bool) -> str:
    later = f"(displayName=* {beginning}*)" if within else ""
    return f"(|(displayName={beginning}*){later}(givenName={beginning}*)(sn={beginning}*))"


def _addresses(text: str) -> str:
    """Addresses that begin with the text, in whichever spelling the directory has their domain."""
    if " " in text:
        return ""
    beginnings = dict.fromkeys((text, *spellings(text))) if "@" in text else (text,)
    return "".join(f"(proxyAddresses=smtp:{escape(beginning)}*)" for beginning in beginnings)
