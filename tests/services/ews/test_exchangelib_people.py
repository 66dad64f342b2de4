"""exchangelib at a door: contacts, lists, tasks and names."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from exchangelib import Contact, DistributionList, Mailbox
from exchangelib.indexed_properties import EmailAddress, ImAddress, PhoneNumber, PhysicalAddress
from exchangelib.properties import Member

from tests.services.dav.site import ALICE
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor

pytestmark = pytest.mark.slow


def beside_a_door(folder: Path, work: Any) -> None:
    """Does work with alice's account, in a thread beside the door."""

    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            await door.mailboxes.logon(door.guid(ALICE))
            await door.beside(lambda: work(account(door, folder, ALICE)))

    asyncio.run(steps())


def test_contacts(tmp_path: Path) -> None:
    def work(mine: Any) -> None:
        contact = Contact(
            folder=mine.contacts,
            given_name="Min-ji",
            surname="Kim",
            display_name="Kim Min-ji",
            file_as_mapping="LastCommaFirst",
            company_name="Sea; Ltd.",
            birthday=date(1990, 2, 3),
            categories=["Friends"],
            children=["Ji-u", "Ha-ru"],
            body="Likes tea\nand boats",
            email_addresses=[EmailAddress(email="kim@sea.test", label="EmailAddress1")],
            phone_numbers=[PhoneNumber(phone_number="+82 10", label="MobilePhone")],
            im_addresses=[ImAddress(im_address="kim", label="ImAddress2")],
            physical_addresses=[
                PhysicalAddress(street="1 Pier", city="Busan", country="Korea", zipcode=48000, label="Home")
            ],
        )
        contact.save()
        (stored,) = mine.contacts.all()
        assert stored.file_as == "Kim, Min-ji" and stored.birthday == date(1990, 2, 3)
        assert stored.company_name == "Sea; Ltd." and stored.complete_name.full_name == "Kim Min-ji"
        assert stored.email_addresses == contact.email_addresses and stored.im_addresses == contact.im_addresses
        assert stored.physical_addresses == contact.physical_addresses
        assert {each.label: each.phone_number for each in stored.phone_numbers} == {"MobilePhone": "+82 10"}
        assert (stored.categories, stored.children) == (["Friends"], ["Ji-u", "Ha-ru"])
        whole = mine.contacts.get(id=stored.id, changekey=stored.changekey)
        assert whole.body == "Likes tea\nand boats" and not whole.has_picture
        whole.surname = "Lee"
        whole.phone_numbers = [PhoneNumber(phone_number="+82 51", label="BusinessPhone")]
        whole.company_name = None
        whole.save()
        whole.refresh()
        assert (whole.surname, whole.company_name) == ("Lee", None)
        assert {each.label: each.phone_number for each in whole.phone_numbers} == {"BusinessPhone": "+82 51"}

    beside_a_door(tmp_path, work)


def test_distribution_lists(tmp_path: Path) -> None:
    def work(mine: Any) -> None:
        kim = Contact(
            folder=mine.contacts,
            display_name="Kim",
            email_addresses=[EmailAddress(email="kim@sea.test", label="EmailAddress1")],
        )
        kim.save()
        members = {
            Member(mailbox=Mailbox(email_address="a@sea.test", name="Ada", mailbox_type="OneOff")),
            Member(mailbox=Mailbox(item_id=kim._id, mailbox_type="Contact")),
        }
        crew = DistributionList(folder=mine.contacts, display_name="Crew", members=members)
        crew.save()
        stored = mine.contacts.get(id=crew.id, changekey=crew.changekey)
        assert isinstance(stored, DistributionList) and stored.display_name == "Crew"
        told = {each.mailbox.email_address: (each.mailbox.name, each.mailbox.mailbox_type) for each in stored.members}
        assert told == {"a@sea.test": ("Ada", "OneOff"), "kim@sea.test": ("Kim", "Contact")}
        # The member is the card, whatever its address is now.
        kim.email_addresses = [EmailAddress(email="kim@sky.test", label="EmailAddress1")]
        kim.save()
        stored.refresh()
        assert {each.mailbox.email_address for each in stored.members} == {"a@sea.test", "kim@sky.test"}
        stored.members = [Member(mailbox=Mailbox(email_address="b@sea.test", mailbox_type="OneOff"))]
        stored.save()
        stored.refresh()
        assert [each.mailbox.email_address for each in stored.members] == ["b@sea.test"]

    beside_a_door(tmp_path, work)
