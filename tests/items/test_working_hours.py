"""Working hours as Outlook keeps them."""

from __future__ import annotations

import pytest

from postern.items.working_hours import DEFAULT, WorkingHours, days_of, read, written
from postern.protocols.ical.bias_zones import BiasZone, Change

BERLIN = BiasZone(-60, Change(0, 10, 5, 0, 180), Change(-60, 3, 5, 0, 120))


@pytest.mark.parametrize(
    "hours",
    [
        DEFAULT,
        WorkingHours(0b1000001, 540, 1020, BERLIN, "W. Europe & more"),
        WorkingHours(0b0000010, 0, 60, BiasZone(-345), "Nepal"),
    ],
)
def test_what_is_written_is_read(hours: WorkingHours) -> None:
    assert read(written(hours)) == hours


def test_days_have_names() -> None:
    assert days_of("Weekday") == days_of("Monday Tuesday Wednesday Thursday Friday") == DEFAULT.days
    assert DEFAULT.names == "Monday Tuesday Wednesday Thursday Friday"
    with pytest.raises(ValueError, match="Someday"):
        days_of("Monday Someday")


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("08:00:00", "8"),
        ("08:00:00", "24:00:00"),
        ("17:00:00", "07:00:00"),
        ("Monday", "Lundi"),
        ("WorkingHours.xsd", "other"),
        ("<Bias>-60</Bias><Standard>", "<Bias>x</Bias><Standard>"),
        ("0000/10/05", "0000/13/05"),
        ("</Root>", ""),
    ],
)
def test_what_is_none_is_not_read(there: str, instead: str) -> None:
    text = written(WorkingHours(zone=BERLIN))
    assert there in text
    assert read(text.replace(there, instead, 1)) is None
