"""`postern mailbox grant`, `revoke`, `rights` and `postern room`, on a running directory and database. covers: room"""

from __future__ import annotations

import pytest

from tests.cli.conftest import PASSWORD, Organized
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


def test_the_rights_of_a_group_that_was_removed_can_be_taken_back(org: Organized, database: str) -> None:
    org.add("greta")
    org.done("group", "add", "choir", "--member", "greta")
    org.done("mailbox", "grant", "greta", "choir", "--rights", "reviewer")
    org.done("group", "remove", "choir", "--yes")
    guid = org.json("mailbox", "rights", "greta")["folders"][0]["grants"][0]["grantee"]
    assert org.done("mailbox", "revoke", "greta", guid) == f"revoked from {guid}\n"
    assert "nobody was granted anything" in org.done("mailbox", "rights", "greta")


def test_a_grantee_outside_address_lists_is_shown_as_others_are(org: Organized, database: str) -> None:
    org.add("gustav")
    org.done("domain", "add", "bücher.test")
    org.done("user", "add", "hidda@bücher.test", "--hidden", "--password-stdin", typed=PASSWORD + "\n")
    org.done("mailbox", "grant", "gustav", "hidda@bücher.test", "--rights", "reviewer")
    [calendar] = org.json("mailbox", "rights", "gustav")["folders"]
    assert [grant["grantee"] for grant in calendar["grants"]] == ["hidda@bücher.test"]
    org.done("user", "remove", "hidda@bücher.test", "--yes")


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
        "nobody works in the Outbox of another": ("dora", "emil", "--rights", "editor", "--folder", "outbox"),
        "which has no mailbox": ("team", "emil", "--rights", "editor"),
        "there is no entry": ("dora", "nobody", "--rights", "editor"),
        "Invalid value for '--rights'": ("dora", "emil", "--rights", "king"),
    }
    for reason, words in refused.items():
        assert reason in org.refused("mailbox", "grant", *words)
    assert "by default" not in org.done("mailbox", "revoke", "--help"), "without options it takes everything"


def test_rooms_and_how_they_are_booked(org: Organized, database: str) -> None:
    for name in ("ruth", "sam"):
        org.add(name)
    assert (
        org.done("room", "create", "blue", "--name", "Blue room", "--window-days", "30")
        == "created blue@example.test\n"
    )
    org.done("room", "create", "beamer", "--equipment")
    blue = org.json("room", "show", "blue")
    assert (blue["kind"], blue["display_name"]) == ("room", "Blue room")
    assert blue["booking"] == {**blue["booking"], "window_days": 30, "bookers": ["*"], "series": True}
    settings = (
        "--bookers",
        "ruth, sam@example.test",
        "--requesters",
        "everybody",
        "--delegates",
        "ruth",
        "--no-series",
    )
    assert org.done("room", "set", "blue", *settings) == "set how blue@example.test is booked\n"
    booking = org.json("room", "show", "blue")["booking"]
    assert booking["bookers"] == ["ruth@example.test", "sam@example.test"] and booking["requesters"] == ["*"]
    assert (booking["delegates"], booking["series"], booking["window_days"]) == (["ruth@example.test"], False, 30)
    org.done("room", "set", "blue", "--bookers", "nobody", "--response", "Ask for the key")
    listed = {each["name"]: each for each in org.json("room", "list")}
    assert listed["blue@example.test"]["booking"]["bookers"] == []
    assert listed["beamer@example.test"]["kind"] == "equipment"
    assert listed["beamer@example.test"]["booking"]["window_days"] == 180
    shown = org.done("room", "list")
    assert "nobody" in shown and "equipment" in shown and "everybody" in shown
    assert "Ask for the key" in org.done("room", "show", "blue")
    refused = {
        "name what is set": ("set", "blue"),
        "from 0 to 1080": ("set", "blue", "--window-days", "5000"),
        "is a room: name everybody, nobody, or users": ("set", "blue", "--bookers", "beamer"),
        "is a user, not a room": ("set", "ruth", "--no-series"),
        "is taken": ("create", "ruth"),
        "longest-minutes is a number": ("set", "blue", "--longest-minutes", "-5"),
        "--delegates takes nobody, or names": ("set", "blue", "--delegates", "everybody"),
        "--bookers takes everybody, nobody": ("set", "blue", "--bookers", "ruth,everybody"),
        "`postern room list`": ("show", "green"),
    }
    for reason, words in refused.items():
        assert reason in org.refused("room", *words)
    assert "from 0 to 1080" in org.refused("room", "create", "half", "--window-days", "5000")
    assert "there is no entry" in org.refused("room", "show", "half"), "nothing is half made"
