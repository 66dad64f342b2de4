"""`postern mailbox out-of-office` on a running directory and database. covers: out_of_office"""

from __future__ import annotations

import pytest

from tests.cli.conftest import Organized
from tests.cli.test_mailbox import database

pytestmark = pytest.mark.slow
__all__ = ["database"]


def test_settings_are_shown_and_set(org: Organized, database: str) -> None:
    org.add("olga")
    shown = org.json("mailbox", "out-of-office", "olga")
    assert (shown["out_of_office"], shown["audience"], shown["internal"]) == ("disabled", "nobody", "")
    texts = ("--internal", "Back on <b>Monday</b><script>x()</script>", "--external", "Away", "--audience", "contacts")
    done = org.done("mailbox", "out-of-office", "olga", "--on", *texts)
    assert "enabled" in done and "Back on Monday" in done and "contacts" in done
    times = ("--from", "2026-12-24T12:00", "--until", "2026-12-27T00:00+01:00")
    shown = org.json("mailbox", "out-of-office", "olga", *times)
    assert (shown["starts"], shown["ends"]) == ("2026-12-24T12:00:00.000Z", "2026-12-26T23:00:00.000Z")
    assert (shown["out_of_office"], shown["internal"]) == ("scheduled", "Back on <b>Monday</b>")
    assert org.json("mailbox", "out-of-office", "olga", "--off")["external"] == "Away"
    refused = {
        "both of --from and --until": ("--from", "2026-12-24T12:00"),
        "name --on, --off, or both": ("--on", *times),
        "is no time": ("--from", "tomorrow", "--until", "2026-12-24T12:00"),
        "as HTML it has": ("--internal", "<b>" + "&" * 30_000),
        "name a later --until": ("--from", "2026-12-24T12:00", "--until", "2026-12-24T12:00"),
        "too long": ("--internal", "x" * 70_000),
    }
    for reason, words in refused.items():
        assert reason in org.refused("mailbox", "out-of-office", "olga", *words)
