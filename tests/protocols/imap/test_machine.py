"""Framing: however bytes are cut the events are the same, and no buffer grows beyond its bound."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.imap.commands import Append, Command, Invalid, Login, Overflow, Response
from postern.protocols.imap.machine import MAX_PASSED_OVER, STRANGER_COMMAND, ServerMachine


def events(machine: ServerMachine, data: bytes = b"") -> list[Command]:
    machine.receive(data)
    found = []
    while (event := machine.next_event()) is not None:
        found.append(event)
    return found


def member() -> ServerMachine:
    machine = ServerMachine()
    machine.max_command = 262_144
    machine.max_message = 1_000_000
    machine.max_append = 2_000_000
    return machine


TALK = (
    b"a NOOP\r\nb LOGIN {5}\r\nalice {3+}\r\nx y\r\n\r\nc BOGUS\r\nd APPEND INBOX (\\Seen) {4+}\r\nab\r\n {3}\r\nxyz\r\n"
    b'e SELECT "a b"\r\nf UID FETCH 1:* (BODY[HEADER.FIELDS ({4+}\r\nFrom)])\r\n* junk\r\ng LOGOUT\n'
)


@given(st.lists(st.integers(0, len(TALK)), max_size=20))
def test_chunking_changes_nothing(cuts: list[int]) -> None:
    whole = member()
    expected = events(whole, TALK)
    machine, found = member(), []
    edges = [0, *sorted(cuts), len(TALK)]
    for start, end in itertools.pairwise(edges):
        found += events(machine, TALK[start:end])
    assert found == expected
    assert machine.outgoing() == whole.outgoing() == b"+ OK\r\n+ OK\r\n"
    assert [event.tag for event in found] == [b"a", b"b", b"c", b"d", b"e", b"f", b"*", b"g"]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_garbage_never_raises(chunks: list[bytes]) -> None:
    machine = ServerMachine()
    for chunk in chunks:
        events(machine, chunk)
    machine.challenge(b"")
    for chunk in chunks:
        events(machine, chunk)


def test_a_waiting_literal_is_asked_for() -> None:
    machine = ServerMachine()
    assert events(machine, b"a LOGIN {5}\r\n") == []
    assert machine.outgoing() == b"+ OK\r\n"
    assert events(machine, b"alice secret\r\n") == [Login(b"a", "LOGIN", "alice", "secret")]


def test_a_strangers_command_is_bounded() -> None:
    machine = ServerMachine()
    assert events(machine, b"a LOGIN " + b"x" * STRANGER_COMMAND) == []
    assert len(machine._buffer) == 0
    assert events(machine, b"x" * 100_000) == [] and len(machine._buffer) == 0
    (event,) = events(machine, b"\r\n")
    assert isinstance(event, Invalid) and event.tag == b"a"
    assert events(machine, b"b NOOP\r\n") == [Command(b"b", "NOOP")]


def test_a_strangers_literal_is_bounded() -> None:
    machine = ServerMachine()
    (event,) = events(machine, b"a LOGIN {9000}\r\n")
    assert isinstance(event, Invalid) and event.tag == b"a" and machine.outgoing() == b""
    assert events(machine, b"b NOOP\r\n") == [Command(b"b", "NOOP")]


def test_a_stranger_cannot_append() -> None:
    machine = ServerMachine()
    (event,) = events(machine, b"a APPEND INBOX {100000}\r\n")
    assert isinstance(event, Invalid) and machine.outgoing() == b""


def test_a_refused_literal_that_is_sent_anyway_is_passed_over() -> None:
    machine = ServerMachine()
    data = b"a LOGIN {9000+}\r\n" + b"b LOGOUT\r\n" * 900 + b" {3+}\r\nxyz\r\nc NOOP\r\n"
    first, second = events(machine, data)
    assert isinstance(first, Invalid) and first.tag == b"a"
    assert second == Command(b"c", "NOOP")


def test_a_stranger_s_id_may_be_as_long_as_its_standard_lets_it() -> None:
    """RFC 2971 section 3.3: thirty pairs, a field of up to 30 octets, a value of up to 1,024."""
    pairs = " ".join(f'"{n:030}" "{n:01024}"' for n in range(30)).encode()
    literals = b" ".join(b'"%d" {1024+}\r\n%01024d' % (n, n) for n in range(30))
    for text in (pairs, literals):
        (event,) = events(ServerMachine(), b"a ID (" + text + b")\r\n")
        assert event == Command(b"a", "ID")
    (event, *_) = events(ServerMachine(), b"a ID (" + pairs + b" " + pairs + b" " + pairs + b")\r\n")
    assert isinstance(event, Invalid)
    (event,) = events(ServerMachine(), b"a NOOP (" + pairs + b")\r\n")
    assert isinstance(event, Invalid) and event.text == "Command line too long"


def test_an_endless_literal_ends_the_connection() -> None:
    machine = ServerMachine()
    (event,) = events(machine, b"a LOGIN {%d+}\r\n" % (MAX_PASSED_OVER + 1))
    assert isinstance(event, Overflow)
    assert events(machine, b"b NOOP\r\n") == []


def test_a_large_message_is_refused_before_it_comes() -> None:
    machine = member()
    (event,) = events(machine, b"a APPEND INBOX {1000001}\r\n")
    assert isinstance(event, Invalid) and event.code == "TOOBIG" and machine.outgoing() == b""


def test_an_append_has_a_bound_in_all() -> None:
    machine = member()
    part = b" {1000000+}\r\n" + b"x" * 1_000_000
    assert events(machine, b"a APPEND INBOX" + part + part) == []
    (event,) = events(machine, part + b"\r\n")
    assert isinstance(event, Invalid) and event.code == "LIMIT"


def test_a_large_message_comes_whole() -> None:
    machine = member()
    content = b"x" * 999_999 + b"\n"
    assert events(machine, b"a APPEND INBOX {1000000+}\r\n") == []
    for start in range(0, len(content), 65_536):
        assert events(machine, content[start : start + 65_536]) == []
    (event,) = events(machine, b"\r\n")
    assert isinstance(event, Append) and event.messages[0].content == content


def test_a_sasl_response_may_be_large_and_is_never_a_command() -> None:
    machine = ServerMachine()
    assert events(machine, b"a AUTHENTICATE PLAIN\r\n")[0].name == "AUTHENTICATE"
    machine.challenge(b"abc=")
    assert machine.outgoing() == b"+ abc=\r\n"
    ticket = b"A" * 60_000
    assert events(machine, ticket + b"\r\nb NOOP\r\n") == [
        Response(b"a", "AUTHENTICATE", ticket),
        Command(b"b", "NOOP"),
    ]
    machine.challenge(b"")
    (event,) = events(machine, b"A" * 70_000 + b"\r\n")
    assert isinstance(event, Invalid)


def test_an_initial_response_may_be_large() -> None:
    (event,) = events(ServerMachine(), b"a AUTHENTICATE GSSAPI " + b"A" * 60_000 + b"\r\n")
    assert event.name == "AUTHENTICATE"


def test_idle_takes_only_done() -> None:
    machine = ServerMachine()
    machine.idle()
    assert events(machine, b"done\r\n") == [Command(b"*", "DONE")]
    machine.idle()
    (event,) = events(machine, b"a NOOP\r\n")
    assert isinstance(event, Invalid)


def test_clear_forgets_half_a_command_and_what_waits() -> None:
    machine = ServerMachine()
    assert events(machine, b"a STARTTLS\r\n") == [Command(b"a", "STARTTLS")]
    machine.receive(b"b LOGIN {5+}\r\nal")
    assert machine.next_event() is None
    machine.receive(b"ice x\r\nc NOOP\r\n")
    machine.clear()
    assert events(machine, b"d NOOP\r\n") == [Command(b"d", "NOOP")]


def test_control_characters_are_refused() -> None:
    machine = ServerMachine()
    for line in (b"a LOGIN a\x00b c\r\n", b'a LOGIN "a\rb" c\r\n'):
        (event,) = events(machine, line)
        assert isinstance(event, Invalid)
