"""Recurrences of tasks both ways."""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES
from postern.protocols.ews.regenerations import read_task_recurrence, task_recurrence_markup

START = datetime(2026, 1, 5)
RANGES = (
    "<t:NoEndRecurrence><t:StartDate>2026-01-05</t:StartDate></t:NoEndRecurrence>",
    "<t:NumberedRecurrence><t:StartDate>2026-01-05</t:StartDate><t:NumberOfOccurrences>3</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence>",
    "<t:EndDateRecurrence><t:StartDate>2026-01-05</t:StartDate><t:EndDate>2026-02-01</t:EndDate></t:EndDateRecurrence>",
)


def read(markup: str) -> xml.Element:
    return xml.read(f'<t:Recurrence xmlns:t="{TYPES}">{markup}</t:Recurrence>'.encode())


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize(
    ("pattern", "regenerates"),
    [
        ("<t:DailyRegeneration><t:Interval>2</t:Interval></t:DailyRegeneration>", True),
        ("<t:WeeklyRegeneration><t:Interval>1</t:Interval></t:WeeklyRegeneration>", True),
        ("<t:MonthlyRegeneration><t:Interval>6</t:Interval></t:MonthlyRegeneration>", True),
        ("<t:YearlyRegeneration><t:Interval>1</t:Interval></t:YearlyRegeneration>", True),
        ("<t:DailyRecurrence><t:Interval>2</t:Interval></t:DailyRecurrence>", False),
    ],
)
def test_a_recurrence_comes_back(pattern: str, regenerates: bool, limits: str) -> None:
    (rule, first), told = read_task_recurrence(read(pattern + limits))
    assert told is regenerates and first == START.date()
    assert task_recurrence_markup(rule, told, START) == f"<t:Recurrence>{pattern}{limits}</t:Recurrence>"


@pytest.mark.parametrize(
    "markup",
    [
        "",
        RANGES[0],
        "<t:DailyRegeneration><t:Interval>0</t:Interval></t:DailyRegeneration>" + RANGES[0],
        "<t:DailyRegeneration><t:Interval>2</t:Interval></t:DailyRegeneration>",
        "<t:SecondlyRegeneration><t:Interval>2</t:Interval></t:SecondlyRegeneration>" + RANGES[0],
    ],
)
def test_what_is_no_recurrence(markup: str) -> None:
    with pytest.raises(EwsError):
        read_task_recurrence(read(markup))
