"""Cards of the global address list."""

from __future__ import annotations

from uuid import UUID

from postern.items import card_data, contact
from postern.items.address_card import card_of
from postern.items.calendar_object import Refused
from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType

GUID = UUID("11111111-2222-3333-4444-555555555555")
KIM = AddressBookEntry(
    GUID,
    RecipientType.USER,
    "Kim, Min-ji; 민지",
    ("kim@example.test", "minji@example.test"),
    "Min-ji",
    "Kim",
    "Head; of\nnothing",
    "Example, Ltd.",
    "R;D",
    "B 2",
    "+82 2 1",
    "+82 10 2",
)


def test_a_card_is_read_as_what_the_entry_says() -> None:
    octets = card_of(KIM)
    read = contact.read(octets)
    assert not isinstance(read, Refused) and contact.check(read) is None and not read.defects
    values = contact.render(read)
    assert (values.uid, values.name, values.family, values.first) == (
        f"urn:uuid:{GUID}",
        KIM.display_name,
        "Kim",
        "Min-ji",
    )
    assert (values.emails, values.telephones) == (KIM.addresses, ("+82 2 1", "+82 10 2"))
    assert (values.organization, values.title) == ("Example, Ltd. / R;D", "Head; of nothing")
    (address,) = read.card.lines("ADR")
    assert read.card.fields(address)[1] == "B 2" and card_of(KIM) == octets


def test_groups_and_rooms_have_a_kind_in_both_versions() -> None:
    for kind, word in {RecipientType.GROUP: "group", RecipientType.ROOM: "location"}.items():
        entry = AddressBookEntry(GUID, kind, "", ("team@example.test",))
        card = contact.read(card_of(entry))
        assert not isinstance(card, Refused) and contact.render(card).kind == word
        assert contact.render(card).name == "team@example.test"
        newer = card_data.retrieve(card, "4.0")
        assert isinstance(newer, bytes) and f"\r\nKIND:{word}\r\n".encode() in newer
    person = contact.read(card_of(KIM))
    assert not isinstance(person, Refused) and contact.render(person).kind == "individual"
