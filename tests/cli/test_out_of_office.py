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
        "name --on, --off, or": ("--on", "--off"),
        "name --on, --off": ("--off", "--on", "--internal", "x"),
        "is no time": ("--from", "tomorrow", "--until", "2026-12-24T12:00"),
        "as HTML it has": ("--internal", "<b>" + "&" * 30_000),
        "name a later --until": ("--from", "2026-12-24T12:00", "--until", "2026-12-24T12:00"),
        "too long": ("--internal", "x" * 70_000),
    }
    for reason, words in refused.items():
        assert reason in org.refused("mailbox", "out-of-office", "olga", *words)


def test_what_would_answer_nobody_is_refused(org: Organized, database: str) -> None:
    org.add("quinn")
    times = ("--from", "2026-12-24T12:00", "--until", "2026-12-27T00:00")
    for words in (("--on",), times, ("--on", "--internal", " "), ("--on", "--external", "Away")):
        told = org.refused("mailbox", "out-of-office", "quinn", *words)
        assert "nobody would be answered" in told and "--internal TEXT" in told
        assert org.json("mailbox", "out-of-office", "quinn")["out_of_office"] == "disabled"
    org.done("mailbox", "out-of-office", "quinn", "--on", "--external", "Away", "--audience", "everybody")
    assert "nobody would be answered" in org.refused("mailbox", "out-of-office", "quinn", "--audience", "nobody")
    org.done("mailbox", "out-of-office", "quinn", "--internal", "Away")
    done = org.postern("mailbox", "out-of-office", "quinn", "--audience", "nobody", "--external", "Out")
    assert "Others get no answer yet: add --audience" in done.stderr
    org.done("mailbox", "out-of-office", "quinn", "--off")
    org.done("mailbox", "out-of-office", "quinn", "--on")
