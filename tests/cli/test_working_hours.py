"""`postern mailbox working-hours` on a running directory and database. covers: working_hours, services.mailbox.working_hours"""

from __future__ import annotations

import pytest

from tests.cli.conftest import Organized
from tests.cli.test_mailbox import database

pytestmark = pytest.mark.slow
__all__ = ["database"]


def test_working_hours_are_shown_and_set(org: Organized, database: str) -> None:
    org.add("wanda")
    shown = org.json("mailbox", "working-hours", "wanda")
    assert (shown["work_from"], shown["work_until"], shown["time_zone"]) == ("08:00", "17:00", "")
    assert shown["work_days"] == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    done = org.done("mailbox", "working-hours", "wanda", "--days", "Monday,Sunday", "--zone", "Europe/Berlin")
    assert "Sunday Monday" in done and "Europe/Berlin" in done
    shown = org.json("mailbox", "working-hours", "wanda", "--from", "9:30", "--until", "13:00")
    assert (shown["work_days"], shown["work_from"], shown["work_until"]) == (["Sunday", "Monday"], "09:30", "13:00")
    assert org.json("mailbox", "working-hours", "wanda") == shown
    refused = {
        "is no day": ("--days", "Someday"),
        "is no time of day": ("--from", "25:00"),
        "ends before it begins": ("--from", "14:00"),
        "no time zone is called": ("--zone", "Europe/Nowhere"),
    }
    for reason, words in refused.items():
        assert reason in org.refused("mailbox", "working-hours", "wanda", *words)
