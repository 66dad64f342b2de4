"""exchangelib at a door: contacts, lists, tasks and names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from exchangelib import Contact, DistributionList, FileAttachment, Mailbox, PostItem, Task
from exchangelib.errors import ErrorNameResolutionNoResults
from exchangelib.indexed_properties import EmailAddress, ImAddress, PhoneNumber, PhysicalAddress
from exchangelib.properties import DLMailbox, Member
from exchangelib.recurrence import MonthlyRegeneration, TaskRecurrence, WeeklyPattern
from exchangelib.services import GetPersona

from postern.model.directory import RecipientType
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor

pytestmark = pytest.mark.slow


def beside_a_door(folder: Path, work: Any, prepare: Callable[[EwsDoor], None] = lambda door: None) -> None:
    """Does work with alice's account, in a thread beside the door."""

    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            prepare(door)
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
        photo = FileAttachment(name="me.png", content=b"\x89PNG", content_type="image/png", is_contact_photo=True)
        whole.attach(photo)
        whole.refresh()
        assert whole.has_picture and [each.content for each in whole.attachments] == [b"\x89PNG"]
        assert whole.attachments[0].is_contact_photo
        whole.detach(whole.attachments[0])
        whole.refresh()
        assert not whole.has_picture and not whole.attachments
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


def test_tasks(tmp_path: Path) -> None:
    def work(mine: Any) -> None:
        task = Task(
            folder=mine.tasks,
            subject="Paint",
            body="the hull",
            start_date=date(2026, 12, 1),
            due_date=date(2026, 12, 8),
            status="InProgress",
            percent_complete=Decimal(25),
            actual_work=30,
            total_work=90,
            companies=["Sea"],
            contacts=["Kim"],
            mileage="3",
            billing_information="none",
            categories=["Boats"],
            importance="High",
            reminder_is_set=True,
            reminder_due_by=datetime(2026, 12, 1, 8, tzinfo=UTC),
            recurrence=TaskRecurrence(
                pattern=WeeklyPattern(interval=2, weekdays=["Tuesday"]), start=date(2026, 12, 1), number=3
            ),
        )
        task.save()
        (stored,) = mine.tasks.all()
        stored.refresh()
        for name in (
            *("subject", "body", "start_date", "due_date", "status", "percent_complete", "actual_work", "total_work"),
            *("companies", "contacts", "mileage", "billing_information", "categories", "importance", "reminder_due_by"),
        ):
            assert getattr(stored, name) == getattr(task, name), name
        assert (
            stored.is_recurring and stored.recurrence.pattern.interval == 2 and stored.recurrence.boundary.number == 3
        )
        assert mine.tasks.filter(subject__contains="aint", due_date__gt=date(2026, 12, 1)).count() == 1
        stored.complete()
        done, following = sorted(mine.tasks.all(), key=lambda each: each.start_date)
        assert done.is_complete and done.percent_complete == 100 and done.complete_date is not None
        assert (following.status, following.start_date, following.due_date) == (
            "NotStarted",
            date(2026, 12, 15),
            date(2026, 12, 22),
        )
        following.delete(affected_task_occurrences="SpecifiedOccurrenceOnly")
        done.delete()
        (last,) = mine.tasks.all()
        assert last.start_date == date(2026, 12, 29)
        last.recurrence = TaskRecurrence(pattern=MonthlyRegeneration(interval=1), start=date(2026, 12, 29))
        last.save()
        last.refresh()
        assert isinstance(last.recurrence.pattern, MonthlyRegeneration)
        last.delete()
        assert mine.tasks.all().count() == 0

    beside_a_door(tmp_path, work)


def test_names(tmp_path: Path) -> None:
    crew, pier = "crew@example.test", "pier@example.test"

    def work(mine: Any) -> None:
        Contact(
            folder=mine.contacts,
            display_name="Bonnie Clyde",
            job_title="Captain",
            email_addresses=[EmailAddress(email="bonnie@sea.test", label="EmailAddress1")],
        ).save()
        assert mine.contacts.filter(display_name="Bonnie Clyde").count() == 1
        assert [each.surname for each in mine.contacts.filter(job_title="Captain").order_by("display_name")] == [None]
        assert mine.contacts.filter(given_name="Bonnie").count() == 0
        names = mine.protocol.resolve_names
        assert [each.email_address for each in names(["bo"])] == [BOB, "bonnie@sea.test"]
        assert [each.email_address for each in names(["bonnie"], search_scope="Contacts")] == ["bonnie@sea.test"]
        ((mailbox, contact),) = names(
            ["bonnie"], return_full_contact_data=True, search_scope="Contacts", shape="AllProperties"
        )
        assert mailbox.mailbox_type == "Contact" and contact.job_title == "Captain"
        ((mailbox, contact),) = names(["pier"], return_full_contact_data=True)
        assert mailbox.mailbox_type == "Mailbox" and contact.display_name == "Pier"
        assert list(names(["nobody"])) == [] or isinstance(next(iter(names(["nobody"]))), ErrorNameResolutionNoResults)
        members = mine.protocol.expand_dl(DLMailbox(email_address=crew, mailbox_type="PublicDL"))
        assert {each.email_address for each in members} == {BOB, pier}
        (room_list,) = mine.protocol.get_roomlists()
        assert room_list.email_address == crew
        (bonnie,) = mine.contacts.people()
        assert (bonnie.display_name, bonnie.email_address.email_address) == ("Bonnie Clyde", "bonnie@sea.test")
        (whole,) = GetPersona(account=mine).call(personas=[bonnie])
        assert whole.title == "Captain" and whole.display_name == "Bonnie Clyde"
        tips = mine.mail_tips
        assert tips.recipient_address.email_address == ALICE and not tips.invalid_recipient and not tips.mailbox_full
        (room,) = mine.protocol.get_rooms(room_list.email_address)
        assert (room.email_address, room.name) == (pier, "Pier")

    def people(door: EwsDoor) -> None:
        known = door.recipients.known
        known[pier] = replace(recipient_of(pier), type=RecipientType.ROOM)
        known[crew] = replace(recipient_of(crew), type=RecipientType.GROUP, members=(BOB, pier))
        door.recipients.groups[guid_of(pier)] = (guid_of(crew),)

    beside_a_door(tmp_path, work, people)


def test_posts(tmp_path: Path) -> None:
    def work(mine: Any) -> None:
        PostItem(folder=mine.inbox, subject="Tides", body="High at six").save()
        (post,) = mine.inbox.all()
        assert isinstance(post, PostItem)
        post.refresh()
        assert post.author.email_address == ALICE and post.posted_time is not None
        assert post.body == "High at six"

    beside_a_door(tmp_path, work)
