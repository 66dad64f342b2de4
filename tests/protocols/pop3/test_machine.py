"""POP3 framing and answers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.pop3.machine import Command, Event, Invalid, Response, ServerMachine, top


def events(machine: ServerMachine, data: bytes) -> list[Event]:
    machine.receive(data)
    found = []
    while (event := machine.next_event()) is not None:
        found.append(event)
    return found


TALK = (
    b"USER alice\r\nPASS a b  c\r\nlist\r\nTOP 1 10\r\nRETR x\r\nQUIT now\r\nBOGUS\r\nAUTH PLAIN =\r\nUIDL 3\nQUIT\r\n"
)


@given(st.lists(st.integers(0, len(TALK)), max_size=20))
def test_chunking_changes_nothing(cuts: list[int]) -> None:
    machine, found = ServerMachine(), []
    edges = [0, *sorted(cuts), len(TALK)]
    for start, end in itertools.pairwise(edges):
        found += events(machine, TALK[start:end])
    assert found == [
        Command("USER", text="alice"),
        Command("PASS", text="a b  c"),
        Command("LIST"),
        Command("TOP", (1, 10)),
        Invalid("Message number expected"),
        Invalid("No arguments expected"),
        Invalid("Unknown command"),
        Command("AUTH", text="PLAIN", initial=b""),
        Command("UIDL", (3,)),
        Command("QUIT"),
    ]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_garbage_never_raises(chunks: list[bytes]) -> None:
    machine = ServerMachine()
    for chunk in chunks:
        events(machine, chunk)


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(events(ServerMachine(), b"PASS secret\r\n"))


def test_lines_are_bounded() -> None:
    machine = ServerMachine()
    assert events(machine, b"USER " + b"x" * 500) == [] and len(machine._buffer) == 0
    assert events(machine, b"x\r\nNOOP\r\n") == [Invalid("Line too long"), Command("NOOP")]
    assert isinstance(events(machine, b"USER " + b"x" * 500 + b"\r\n")[0], Invalid)


def test_a_sasl_response_may_be_large() -> None:
    machine = ServerMachine()
    machine.challenge(b"")
    assert events(machine, b"A" * 60_000 + b"\r\nNOOP\r\n") == [Response(b"A" * 60_000), Command("NOOP")]
    (event,) = events(machine, b"AUTH GSSAPI " + b"A" * 60_000 + b"\r\n")
    assert isinstance(event, Command) and len(event.initial or b"") == 60_000


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"a\r\n", b"+OK x\r\na\r\n.\r\n"),
        (b".a\r\n..\r\nb", b"+OK x\r\n..a\r\n...\r\nb\r\n.\r\n"),
        (b"a\n.\nb\r\n", b"+OK x\r\na\n..\nb\r\n.\r\n"),
        (b"", b"+OK x\r\n.\r\n"),
    ],
)
def test_messages_are_stuffed(content: bytes, wire: bytes) -> None:
    machine = ServerMachine()
    machine.message("x", content)
    assert machine.outgoing() == wire


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), max_size=20))
def test_stuffing_is_undone_by_a_client(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    machine = ServerMachine()
    machine.message("x", content)
    read = []
    for line in machine.outgoing().split(b"\r\n")[1:]:
        if line == b".":
            break
        read.append(line[1:] if line.startswith(b".") else line)
    assert read == lines


def test_top() -> None:
    content = b"A: b\r\n\r\n1\r\n2\r\n3"
    assert top(content, 0) == b"A: b\r\n\r\n"
    assert top(content, 2) == b"A: b\r\n\r\n1\r\n2\r\n"
    assert top(content, 9) == content
    assert top(b"A: b\r\n", 1) == b"A: b\r\n"
