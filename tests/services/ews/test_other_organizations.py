"""People of another organization are asked about there, as an account of its own, and only their times are believed.

covers: protocols.ews.foreign_availability
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, cast

import pytest

from postern.model.availability import BusyEvent, Span, Told, WhenBusy
from postern.model.folders import Right
from postern.model.item_store import Busy
from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.protocols.ews import foreign_availability as foreign
from postern.protocols.ews.foreign_availability import ForeignAnswer, ForeignEvent, question, read_answer
from postern.protocols.ical.zones import moment, seconds
from postern.services.access.availability import Problem
from postern.services.ews.other_organizations import ForeignAvailability, OtherOrganization
from postern.services.http.outgoing import Outgoing, Target
from postern.telemetry.observed import Observed
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import PATH, EwsDoor, EwsSite
from tests.services.mailbox.calendars import calendar_of, put

DAY = seconds(datetime(2031, 3, 3))
END = DAY + 86_400
NINE = ("DTSTART:20310303T090000Z", "DTEND:20310303T100000Z", "SUMMARY:Secret")


async def answered(site: EwsSite, *addresses: str) -> list[ForeignAnswer] | None:
    """The answers of the other organization to alice, who is the account that asks."""
    whole = question(addresses, DAY, END).decode()
    header = whole.partition("<s:Header>")[2].partition("</s:Header>")[0].partition("/>")[2]
    body = whole.partition("<s:Body>")[2].partition("</s:Body>")[0]
    answer = await site.ask(body, ALICE, "Exchange2007_SP1", header)
    return read_answer(answer.text.encode(), DAY)


def test_what_one_asks_the_other_answers() -> None:
    async def steps() -> None:
        site = EwsSite()
        await put(site.mailboxes, guid_of(BOB), *NINE)
        tentative = ("DTSTART:20310303T120000Z", "DTEND:20310303T130000Z", "STATUS:TENTATIVE")
        await put(site.mailboxes, guid_of(BOB), *tentative, uid="u2")
        calendar = await calendar_of(site.mailboxes, guid_of(BOB))
        await site.mailboxes.set_rights(guid_of(BOB), calendar, guid_of(ALICE), Right.READ_ANY)
        assert await answered(site, BOB, "nobody@example.test") == [
            ForeignAnswer(
                "NoError",
                (
                    ForeignEvent(DAY + 9 * 3_600, DAY + 10 * 3_600, Busy.BUSY),
                    ForeignEvent(DAY + 12 * 3_600, DAY + 13 * 3_600, Busy.TENTATIVE),
                ),
            ),
            ForeignAnswer("ErrorMailRecipientNotFound"),
        ]

    asyncio.run(steps())


def _answer(view: str, code: str = "NoError") -> bytes:
    message = f'<m:ResponseMessage ResponseClass="Success"><m:ResponseCode>{code}</m:ResponseCode></m:ResponseMessage>'
    return (
        f'<s:Envelope xmlns:s="{foreign.SOAP}" xmlns:m="{foreign.MESSAGES}" xmlns:t="{foreign.TYPES}"><s:Body>'
        f"<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray><m:FreeBusyResponse>{message}<m:FreeBusyView>{view}"
        "</m:FreeBusyView></m:FreeBusyResponse></m:FreeBusyResponseArray></m:GetUserAvailabilityResponse></s:Body></s:Envelope>"
    ).encode()


def test_digits_are_read_where_no_events_are_told() -> None:
    quarter = 900
    assert read_answer(_answer("<t:MergedFreeBusy>0112304</t:MergedFreeBusy>"), 0) == [
        ForeignAnswer(
            "NoError",
            (
                ForeignEvent(quarter, 3 * quarter, Busy.TENTATIVE),
                ForeignEvent(3 * quarter, 4 * quarter, Busy.BUSY),
                ForeignEvent(4 * quarter, 5 * quarter, Busy.OUT_OF_OFFICE),
            ),
        )
    ]


@pytest.mark.parametrize("octets", [b"", b"<a/>", b"<", _answer("").replace(b"FreeBusyResponseArray", b"x")])
def test_what_is_no_answer_is_none(octets: bytes) -> None:
    assert read_answer(octets, 0) is None


@pytest.mark.parametrize(
    "view",
    [
        "<t:CalendarEventArray><t:CalendarEvent><t:StartTime>soon</t:StartTime></t:CalendarEvent></t:CalendarEventArray>",
        "<t:CalendarEventArray><t:CalendarEvent/></t:CalendarEventArray>",
    ],
)
def test_events_that_cannot_be_read_are_not_free_time(view: str) -> None:
    assert read_answer(_answer(view), 0) == [ForeignAnswer("")]
    assert read_answer(_answer(view, "ErrorNoFreeBusyAccess"), 0) == [ForeignAnswer("ErrorNoFreeBusyAccess")]


def test_a_list_that_is_too_long_is_not_told_in_part() -> None:
    def event(hour: int, busy: str = "Busy") -> str:
        begin = moment(DAY + 3_600 * hour).isoformat()
        times = (
            f"<t:StartTime>{begin}</t:StartTime><t:EndTime>{moment(DAY + 3_600 * hour + 60).isoformat()}</t:EndTime>"
        )
        return f"<t:CalendarEvent>{times}<t:BusyType>{busy}</t:BusyType></t:CalendarEvent>"

    def told(*events: str) -> ForeignAnswer:
        answers = read_answer(_answer(f"<t:CalendarEventArray>{''.join(events)}</t:CalendarEventArray>"), DAY)
        assert answers is not None
        return answers[0]

    many = [event(hour) for hour in range(foreign.MAX_EVENTS)]
    assert len(told(event(0, "Free"), *many).events) == foreign.MAX_EVENTS
    assert told(*many, event(1_200)) == ForeignAnswer("ErrorResultSetTooBig")
    digits = "20" * (foreign.MAX_EVENTS + 1)
    assert read_answer(_answer(f"<t:MergedFreeBusy>{digits}</t:MergedFreeBusy>"), DAY) == [
        ForeignAnswer("ErrorResultSetTooBig")
    ]


class Names:
    """A resolver that knows this machine alone."""

    async def addresses(self, host: str) -> list[str]:
        return ["127.0.0.1"]


def _others(
    door: EwsDoor, password: str = "wonderland", host: str = "localhost", observed: Observed | None = None
) -> ForeignAvailability:
    row = settle(Profile.PRACTICAL)["availability-to-organization"]
    tls = door.client_tls()
    outgoing = Outgoing(row, cast(Any, Names()), observed or Observed(None), tls, lambda address, port: True, 5.0)
    target = Target("https", host, door.port, PATH)
    return ForeignAvailability(outgoing, {"example.test": OtherOrganization(target, ALICE, lambda: password)})


def test_a_server_of_the_other_organization_is_asked_by_https() -> None:
    async def steps() -> None:
        door = EwsDoor()
        bob = door.guid(BOB)
        await put(door.mailboxes, bob, *NINE)
        span = Span(DAY, END)
        async with door.opened_to_ews():
            observed = Observed(None)
            others = _others(door, observed=observed)
            assert others.serves("example.test") and not others.serves("other.test")
            busy = BusyEvent(DAY + 9 * 3_600, DAY + 10 * 3_600, Busy.BUSY)
            told = await others.when_busy("example.test", [BOB, "x@example.test"], span)
            assert told == [WhenBusy(Told.TIME, (busy,)), Problem.NOBODY]
            assert {(row, mechanism) for row, _, mechanism, *_ in observed._counts} == {
                ("availability-to-organization", Mechanism.BASIC)
            }
            for wrong in (_others(door, "a guess"), _others(door, host="other.test")):
                assert await wrong.when_busy("example.test", [BOB], span) == [Problem.FOREIGN]
        assert await others.when_busy("example.test", [BOB], span) == [Problem.FOREIGN]

    asyncio.run(steps())


def test_whoever_is_asked_by_a_server_asks_no_third_organization() -> None:
    class Asked:
        def serves(self, domain: str) -> bool:
            raise AssertionError("nobody else is asked")

    async def steps() -> None:
        site = EwsSite()
        site.access.free_busy._others = cast(Any, Asked())  # type: ignore[union-attr]  # the site has it
        assert await answered(site, "x@third.test") == [ForeignAnswer("ErrorMailRecipientNotFound")]

    asyncio.run(steps())
