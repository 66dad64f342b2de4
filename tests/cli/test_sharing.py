"""`postern mailbox grant`, `revoke` and `rights`, on a running directory and database."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Organized
from tests.cli.test_mailbox import database

pytestmark = pytest.mark.slow
__all__ = ["database"]


def test_rights_are_granted_shown_and_taken_back(org: Organized, database: str) -> None:
    for name in ("anna", "ben"):
        org.add(name)
    org.done("group", "add", "crew", "--member", "ben")
    assert "nobody was granted anything" in org.done("mailbox", "rights", "anna")
    assert org.done("mailbox", "grant", "anna", "ben", "--rights", "editor") == (
        "ben@example.test is editor of Calendar of anna@example.test\n"
    )
    org.done("mailbox", "grant", "anna", "crew", "--rights", "reviewer", "--folder", "inbox")
    org.done("mailbox", "grant", "anna", "everybody", "--rights", "free-busy-details")
    done = org.done("mailbox", "grant", "anna", "crew", "--full-access", "--send-on-behalf")
    assert "full access to anna" in done and "send on behalf of anna" in done
    everybody = {
        "grantee": "everybody",
        "role": "free-busy-details",
        "rights": ["FREE_BUSY_SIMPLE", "FREE_BUSY_DETAILED"],
    }
    shown = org.json("mailbox", "rights", "anna")
    assert shown["full_access"] == shown["send_on_behalf"] == ["crew@example.test"]
    folders = {"/".join(each["folder"]): each["grants"] for each in shown["folders"]}
    assert [grant["role"] for grant in folders["Calendar"]] == ["editor", "free-busy-details"]
    assert folders["Calendar"][1] == everybody
    assert [(grant["grantee"], grant["role"]) for grant in folders["INBOX"]] == [("crew@example.test", "reviewer")]
    assert "send on behalf" in org.done("mailbox", "rights", "anna")

    org.done("mailbox", "revoke", "anna", "everybody", "--folder", "calendar")
    org.done("mailbox", "revoke", "anna", "crew", "--send-on-behalf")
    shown = org.json("mailbox", "rights", "anna")
    assert shown["send_on_behalf"] == [] and shown["full_access"] == ["crew@example.test"]
    assert len(shown["folders"]) == 2
    org.done("mailbox", "revoke", "anna", "crew")
    shown = org.json("mailbox", "rights", "anna")
    assert shown["full_access"] == [] and [each["folder"] for each in shown["folders"]] == [["Calendar"]]
    assert "nothing was changed" in org.done("mailbox", "revoke", "anna", "crew")


def test_what_cannot_be_granted(org: Organized, database: str) -> None:
    for name in ("dora", "emil"):
        org.add(name)
    org.done("group", "add", "team", "--member", "emil")
    refused = {
        "name what is granted": ("dora", "emil"),
        "name the rights": ("dora", "emil", "--folder", "inbox", "--full-access"),
        "folders only": ("dora", "everybody", "--full-access"),
        "may do everything": ("dora", "dora", "--rights", "editor"),
        "has no folder Plans": ("dora", "emil", "--rights", "editor", "--folder", "Plans"),
        "which has no mailbox": ("team", "emil", "--rights", "editor"),
        "there is no entry": ("dora", "nobody", "--rights", "editor"),
        "Invalid value for '--rights'": ("dora", "emil", "--rights", "king"),
    }
    for reason, words in refused.items():
        assert reason in org.refused("mailbox", "grant", *words)
