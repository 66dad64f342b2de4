"""Proposals, delegations, questions and secretaries: messages about meetings beyond invitation and answer.

covers: calendar_attendant, speakers, answering, owners_copy
"""

from __future__ import annotations

import threading

import pytest

from postern.items.imip import invitation_in
from postern.model.folders import FolderKind
from postern.protocols.content_lines import Line
from postern.protocols.ical.values import address_of
from postern.services.mailbox import speakers
from tests.services.mailbox.attended import (
    ANN,
    BOB,
    CAROL,
    STRANGER,
    USER,
    Crash,
    Crashing,
    Opened,
    World,
    check,
    letter,
    meeting,
    opened_in_memory,
    own,
)
from tests.store.conftest import opened as opened_database

DESK, PARK = "desk@away.test", "park@away.test"
NEWER = "20270102T000000Z"


async def _sent(world: World, owner: str) -> list[tuple[str, str, str]]:
    """The messages that wait in an outbox and are submitted, by recipient, method and attendee."""
    sent = []
    for content in await world.sent(owner):
        message = invitation_in(content)
        assert message is not None
        to = next(line for line in content.decode().split("\r\n") if line.startswith("To: "))
        sent.append((to[4:].strip("<>"), message.method, message.main.value("ATTENDEE")))
    return sent


class MeetingMessageCases:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    def test_a_proposal_is_noted_and_the_mail_stays(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            others = f";PARTSTAT=TENTATIVE:mailto:{ANN}\r\nATTENDEE:mailto:{PARK}"
            proposal = meeting("COUNTER", organizer=CAROL, attendee=others, start="20270301T150000Z", stamp=NEWER)
            assert (await world.attend(letter(proposal), owner=CAROL)).applied == 1
            text = await world.text(CAROL)
            assert "X-POSTERN-PROPOSED=20270301T150000Z/20270301T160000Z" in text and "DTSTART:20270301T10" in text
            assert (await world.attend(letter(proposal, PARK), owner=CAROL)).left == 1, "she was not invited"
            guid = world.people.guids[CAROL]
            inbox = next(each for each in await world.store.folders(guid) if each.kind is FolderKind.INBOX)
            assert inbox.messages == 2
            assert (await world.attend(letter(proposal, ANN), owner=BOB)).left == 1, "somebody else's meeting"

        check(opened, steps)

    def test_a_refused_proposal_stays_mail_where_none_is_noted(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            refusal = letter(meeting("DECLINECOUNTER"))
            await world.attend(letter(meeting("REQUEST")))
            assert (await world.attend(refusal)).left == 1
            noted = (await world.text()).replace(";PARTSTAT=", ";X-POSTERN-PROPOSED=20270301T150000Z/PT1H;PARTSTAT=")
            (copy,) = await world.copies()
            await world.store.delete(world.people.guids[BOB], [copy.id])
            await world.put(noted)
            assert (await world.attend(refusal)).applied == 1
            assert "X-POSTERN-PROPOSED" not in await world.text()

        check(opened, steps)

    def test_who_asks_for_a_meeting_gets_it_once(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            question = meeting("REFRESH", organizer=CAROL, attendee=f":mailto:{ANN}")
            crashes = 0
            await world.deliver(letter(question), CAROL)
            for at in range(1, 30):
                try:
                    await world.assistants(Crashing(world.store, at, at % 2 == 0)).attend()
                    break
                except Crash:
                    crashes += 1
            assert crashes > 3
            assert await _sent(world, CAROL) == [(ANN, "REQUEST", f"mailto:{ANN}")]
            assert (await world.attend(letter(question.replace(ANN, PARK), PARK), owner=CAROL)).left == 1
            assert len(await _sent(world, CAROL)) == 1, "others learn nothing"

        check(opened, steps)

    def test_an_occurrence_of_what_is_not_there_is_asked_for(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            added = letter(meeting("ADD", 1, start="20270303T100000Z"))
            await world.attend(added)
            assert await _sent(world, BOB) == [(ANN, "REFRESH", f"mailto:{BOB}")]
            await world.attend(letter(meeting("REQUEST", more="RRULE:FREQ=WEEKLY;COUNT=3\r\n")), added)
            assert "RDATE:20270303T100000Z" in await world.text()
            assert len(await _sent(world, BOB)) == 1

        check(opened, steps)

    def test_nobody_has_mails_sent_to_others(self, opened: Opened) -> None:
        """Answers go to the author. SENT-BY of another domain proves nothing but that the author is of the domain."""

        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            by_desk = f';SENT-BY="mailto:{DESK}":mailto:{ANN}'
            question = letter(meeting("REFRESH", organizer=CAROL, attendee=by_desk), DESK)
            added = letter(meeting("ADD").replace(f"ORGANIZER:mailto:{ANN}", f"ORGANIZER{by_desk}"), DESK)
            assert (await world.attend(question, owner=CAROL)).left == 1
            assert (await world.attend(added)).left == 1
            for contact in (DESK, ANN):
                world.people.add(contact)
                world.people.contacts.add(contact)
            assert (await world.attend(question, owner=CAROL)).left == 1
            assert await _sent(world, CAROL) == await _sent(world, BOB) == []

        check(opened, steps)

    def test_secretaries(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            request = meeting("REQUEST", attendee=f":mailto:{CAROL}").replace(
                f"ORGANIZER:mailto:{ANN}", f'ORGANIZER;SENT-BY="mailto:%s":mailto:{BOB}'
            )
            secretary = request % "desk@corp.test"
            world.people.add("desk@corp.test")
            assert (await world.attend(letter(secretary, "desk@corp.test", USER), owner=CAROL)).left == 1
            world.people.delegates.add((world.people.guids["desk@corp.test"], BOB))
            assert (await world.attend(letter(request % CAROL, "desk@corp.test", USER), owner=CAROL)).left == 1
            assert (await world.attend(letter(secretary, "desk@corp.test", USER), owner=CAROL)).applied == 1
            assert len(await world.copies(CAROL)) == 1
            foreign = secretary.replace("desk@corp", "desk@away")
            assert (await world.attend(letter(foreign, DESK, STRANGER), owner=CAROL)).left == 1, "strangers never"

        check(opened, steps)

    def test_secretaries_elsewhere_speak_for_their_own_domain(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            answer = meeting(
                "REPLY", organizer=CAROL, attendee=f';PARTSTAT=ACCEPTED;SENT-BY="mailto:{DESK}":mailto:{ANN}'
            )
            other = answer.replace(DESK, "eve@evil.test")
            trace = STRANGER.replace(b"header.d=away.test", b"header.d=evil.test")
            assert (await world.attend(letter(other, "eve@evil.test", trace), owner=CAROL)).left == 1
            assert (await world.attend(letter(answer, PARK), owner=CAROL)).left == 1, "not the one that is named"
            assert (await world.attend(letter(answer, DESK), owner=CAROL)).applied == 1
            assert "PARTSTAT=ACCEPTED" in await world.text(CAROL)

        check(opened, steps)

    def test_an_attendee_delegates_to_the_owner(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            people = (
                f';PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{BOB}":mailto:{PARK}\r\n'
                f'ATTENDEE;PARTSTAT=NEEDS-ACTION;DELEGATED-FROM="mailto:{PARK}":mailto:{BOB}'
            )
            delegated = meeting("REQUEST", attendee=people)
            evil = STRANGER.replace(b"header.d=away.test", b"header.d=evil.test")
            stranger = delegated.replace(PARK, "eve@evil.test")
            assert (await world.attend(letter(stranger, "eve@evil.test", evil))).left == 1
            assert (await world.attend(letter(delegated, PARK))).applied == 1
            assert f"ORGANIZER:mailto:{ANN}" in await world.text()
            update = meeting("REQUEST", 1, attendee=people)
            assert (await world.attend(letter(update.replace(PARK, DESK), DESK))).left == 1, "another delegator"
            assert (await world.attend(letter(update))).applied == 1, "the organizer's update"

        check(opened, steps)

    def test_a_delegates_answer_counts_when_the_delegator_has_said_so(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            says = f';PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{PARK}":mailto:{ANN}'
            both = f';PARTSTAT=ACCEPTED;DELEGATED-FROM="mailto:{ANN}":mailto:{PARK}\r\nATTENDEE{says}'
            answer = letter(meeting("REPLY", organizer=CAROL, attendee=both, stamp=NEWER), PARK)
            assert (await world.attend(answer, owner=CAROL)).left == 1
            await world.attend(letter(meeting("REPLY", organizer=CAROL, attendee=says)), owner=CAROL)
            assert (await world.attend(answer, owner=CAROL)).applied == 1
            assert (await world.text(CAROL)).count("PARTSTAT=ACCEPTED") == 1

        check(opened, steps)

    def test_nobody_delegates_to_a_room(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            room = "room@corp.test"
            people = f';PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{room}":mailto:{CAROL}\r\nATTENDEE:mailto:{room}'
            request = meeting("REQUEST", organizer=BOB, attendee=people)
            assert (await world.attend(letter(request, CAROL, USER), owner=room)).left == 1
            assert await world.copies(room) == []

        check(opened, steps)


class TestInMemory(MeetingMessageCases):
    @pytest.fixture
    def opened(self) -> Opened:
        return opened_in_memory

    def test_the_attendees_of_an_answer_are_compared_in_a_thread(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stranger may name as many as a message holds."""
        threads: set[int] = set()

        def address(line: Line) -> str:
            threads.add(threading.get_ident())
            return address_of(line.value)

        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            monkeypatch.setattr(speakers, "_address", address)
            answer = meeting("REPLY", organizer=CAROL, attendee=f";PARTSTAT=ACCEPTED:mailto:{ANN}", stamp=NEWER)
            assert (await world.attend(letter(answer), owner=CAROL)).applied == 1
            assert threads and threading.get_ident() not in threads

        check(opened, steps)


@pytest.mark.slow
class TestInPostgres(MeetingMessageCases):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
