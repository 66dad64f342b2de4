"""exchangelib keeps contacts, lists and tasks at the real organization, and CardDAV and CalDAV have the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from exchangelib import Account, Contact, DistributionList, FileAttachment, Task
from exchangelib import Mailbox as Address
from exchangelib.indexed_properties import EmailAddress, PhoneNumber
from exchangelib.properties import DLMailbox, Member
from exchangelib.recurrence import TaskRecurrence, WeeklyPattern

from tests.clients.people import Mailbox, stored
from tests.organization import PASSWORD
from tests.services.ews.exchange import account_at

pytestmark = pytest.mark.slow


def opened(mailbox: Mailbox) -> Account:
    organization = mailbox.organization
    url = f"https://localhost:{organization.port(443)}/EWS/Exchange.asmx"
    return account_at(url, organization.authority, mailbox.address, password=PASSWORD)


def test_contacts_lists_and_tasks(mailbox: Callable[[], Mailbox]) -> None:
    mine = mailbox()
    account = opened(mine)
    kim = Contact(
        folder=account.contacts,
        display_name="Kim Min-ji",
        given_name="Min-ji",
        surname="Kim",
        file_as_mapping="LastCommaFirst",
        birthday=date(1990, 2, 3),
        email_addresses=[EmailAddress(email="kim@sea.test", label="EmailAddress1")],
        phone_numbers=[PhoneNumber(phone_number="+82 10", label="MobilePhone")],
        companies=["Sea", "Sky"],
    )
    kim.save()
    kim.attach(FileAttachment(name="me.png", content=b"\x89PNG", content_type="image/png", is_contact_photo=True))
    kim.refresh()
    assert (kim.file_as, kim.birthday, kim.companies) == ("Kim, Min-ji", date(1990, 2, 3), ["Sea", "Sky"])
    assert kim.has_picture and kim.attachments[0].content == b"\x89PNG"
    members = {
        Member(mailbox=Address(email_address="bob@example.test", mailbox_type="Mailbox")),
        Member(mailbox=Address(item_id=kim._id, mailbox_type="Contact")),
    }
    crew = DistributionList(folder=account.contacts, display_name="Crew", members=members)
    crew.save()
    crew.refresh()
    assert {each.mailbox.email_address for each in crew.members} == {"bob@example.test", "kim@sea.test"}
    task = Task(
        folder=account.tasks,
        subject="Paint",
        start_date=date(2026, 12, 1),
        due_date=date(2026, 12, 2),
        recurrence=TaskRecurrence(
            pattern=WeeklyPattern(interval=1, weekdays=["Tuesday"]), start=date(2026, 12, 1), number=2
        ),
    )
    task.save()
    task.complete()
    assert sorted((each.start_date, each.is_complete) for each in account.tasks.all()) == [
        (date(2026, 12, 1), True),
        (date(2026, 12, 8), False),
    ]
    names = account.protocol.resolve_names
    assert [each.email_address for each in names(["kim"], search_scope="Contacts")] == ["kim@sea.test"]
    assert "bob@example.test" in [each.email_address for each in names(["bob"])]
    expanded = account.protocol.expand_dl(DLMailbox(item_id=crew._id, mailbox_type="PrivateDL"))
    assert {each.email_address for each in expanded} == {"bob@example.test", "kim@sea.test"}
    with mine.dav() as client:
        cards = "".join(stored(client, f"/dav/addressbooks/{mine.address}/contacts/").values())
        tasks = "".join(stored(client, f"/dav/calendars/{mine.address}/tasks/").values())
    assert "FN:Kim Min-ji" in cards and "X-ADDRESSBOOKSERVER-KIND:group" in cards and "PHOTO" in cards
    assert tasks.count("SUMMARY:Paint") == 2 and tasks.count("RRULE") == 1
    kim.delete()
    crew.refresh()
    assert {each.mailbox.email_address for each in crew.members} == {"bob@example.test", None}
