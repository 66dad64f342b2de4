"""Knocks and full dialling in one matrix: what becomes proven, what stays reachable only, and how a failure shows.

covers: dialling
"""

from __future__ import annotations

import pytest

from postern.lab.dialling import CALLS, Dialled, read
from postern.lab.joining import join, proven, unproven
from postern.lab.matrix import Cell, State

SERVER = "postern verify"
HOSTS = ("hub1", "hub2", "cas1", "client1")
KNOCKED = {
    "hub-to-hub": {
        "hub1": Cell(State.PASSES),
        "hub2": Cell(State.PASSES),
        "cas1": Cell(State.BLOCKED),
        "client1": Cell(State.SHARED, ("client-to-hub-smtp",)),
    },
    "imap4": {
        "hub1": Cell(State.BLOCKED),
        "hub2": Cell(State.BLOCKED),
        "cas1": Cell(State.AT_HOME),
        "client1": Cell(State.PASSES),
    },
}


def said(host: str, row: str, verdict: str = "pass", words: str = "", what: str = SERVER, refusals: int = 3) -> Dialled:
    return Dialled(host, row, verdict, words, refusals, what=what)


def states(dialled: list[Dialled], row: str) -> dict[str, State]:
    return {host: cell.state for host, cell in join(KNOCKED, dialled, HOSTS)[row].items()}


def test_only_who_dialled_it_in_full_has_proven_it() -> None:
    assert states([said("hub1", "hub-to-hub")], "hub-to-hub") == {
        "hub1": State.PROVEN,
        "hub2": State.PASSES,
        "cas1": State.BLOCKED,
        "client1": State.REFUSES,
    }


def test_an_open_door_refuses_only_where_refusals_were_seen() -> None:
    assert states([said("hub1", "hub-to-hub", refusals=0)], "hub-to-hub")["client1"] is State.SHARED
    both = [said("hub1", "hub-to-hub"), said("hub2", "hub-to-hub", "fail", "it is answered")]
    assert states(both, "hub-to-hub")["client1"] is State.SHARED
    assert states([], "hub-to-hub")["client1"] is State.SHARED


@pytest.mark.parametrize("row", ["hub-to-hub", "imap4"])
@pytest.mark.parametrize("host", HOSTS)
def test_who_says_fail_shows_as_failed_whatever_its_knocks_say(host: str, row: str) -> None:
    cell = join(KNOCKED, [said(host, row, "fail", "too weak"), said("hub1", row)], HOSTS)[row][host]
    assert (cell.state, cell.because) == (State.FAILS, ("too weak",))


def test_a_server_that_dials_itself_proves_nothing_of_its_clients() -> None:
    by_itself = said("cas1", "imap4")
    assert states([by_itself], "imap4") == {
        "hub1": State.BLOCKED,
        "hub2": State.BLOCKED,
        "cas1": State.AT_HOME,
        "client1": State.PASSES,
    }
    assert states([by_itself, said("client1", "imap4", what="a log-on")], "imap4")["client1"] is State.PROVEN


def test_a_wrong_knock_stays_wrong() -> None:
    leaking = {"imap4": KNOCKED["imap4"] | {"hub1": Cell(State.LEAKS, ("cas1 TCP 993",))}}
    assert join(leaking, [said("hub1", "imap4")], HOSTS)["imap4"]["hub1"].state is State.LEAKS


def test_a_row_within_a_host_is_added_for_who_dialled_it() -> None:
    assert states([said("cas1", "postgresql")], "postgresql") == {
        "hub1": State.NO_DOOR,
        "hub2": State.NO_DOOR,
        "cas1": State.PROVEN,
        "client1": State.NO_DOOR,
    }


def test_a_row_is_proven_if_some_host_says_so_and_none_that_it_fails() -> None:
    dialled = [
        said("hub1", "hub-to-hub"),
        said("hub2", "hub-to-hub", "fail"),
        said("cas1", "imap4"),
        said("hub1", "imap4", "elsewhere"),
        said("hub1", "pop3", "elsewhere"),
    ]
    assert proven(dialled) == ["imap4"]
    assert unproven(dialled, ["hub-to-hub", "imap4", "pop3"]) == ["pop3"]


def test_what_the_verifier_prints_is_read() -> None:
    checks = [{"name": "a", "passed": True, "detail": ""}, {"name": "b", "passed": False, "detail": "x"}]
    report = {
        "path": "edgesync",
        "verdict": "fail",
        "detail": "b: x",
        "observed": {"closed": ["10.77.2.20 TCP 50389"]},
        "checks": checks,
    }
    assert list(read("hub1", [report])) == [
        Dialled("hub1", "edgesync", "fail", "b: x", 1, ("10.77.2.20 TCP 50389",), SERVER)
    ]


def test_each_row_that_only_outsiders_call_has_a_call() -> None:
    mail = {"imap4", "pop3", "client-to-hub-smtp", "edge-to-edge"}
    web = {"availability", "autodiscover", "client-configuration", "caldav", "carddav"}
    assert {call.row for call in CALLS} == {"client-to-kdc", *web, *mail}
