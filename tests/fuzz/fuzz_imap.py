"""Fuzz target for the IMAP and POP3 machines: `python tests/fuzz/fuzz_imap.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut and whether the client is known; a machine must give the same events whole and cut,
must not raise, and must keep its buffers within their bounds.
"""

from __future__ import annotations

import sys
from array import array
from contextlib import nullcontext, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.model.mailbox import MailboxError
    from postern.model.search import SearchTerm
    from postern.protocols.imap import acl, dates, modified_utf7, parse, patterns
    from postern.protocols.imap import machine as imap
    from postern.protocols.imap.commands import Command, Search
    from postern.protocols.pop3 import machine as pop3
    from postern.services.imap import search as imap_search
    from postern.services.imap.failures import CommandFailed
    from postern.store import search

from postern.model.folders import Folder, FolderKind, Right
from postern.model.items import Index
from postern.services.imap.homes import Place
from postern.services.imap.view import WORD, FolderView
from tests.bounds.growth import finished

BOUND = 600
MESSAGE = 300


async def _no_keywords(mailbox: object, folder: int, names: object, create: bool) -> int:
    return 0


HOME: Any = SimpleNamespace(mailbox=UUID(int=1), mailboxes=SimpleNamespace(keywords=_no_keywords))


def _view() -> FolderView:
    folder = Folder(1, ("INBOX",), FolderKind.INBOX, 1, 20, 1, 9, 0, 0, 0, 1, True, ())
    view = FolderView(Place(HOME, folder), False, [(1, 3)])
    flags = array("Q", bytes(72)).tobytes()
    view.load(Index(1, 20, 9, array(WORD, range(1, 18, 2)).tobytes(), flags, flags, b""), None)
    return view


VIEW = _view()
STATE: Any = SimpleNamespace(saved=[1, 5, 9])


def imap_events(pieces: list[bytes], known: bool) -> tuple[list[Command], bytes]:
    machine = imap.ServerMachine()
    machine.max_command = BOUND
    if known:
        machine.max_message, machine.max_append, machine.utf8 = MESSAGE, 2 * MESSAGE, True
    found, said = [], []
    for piece in pieces:
        machine.receive(piece)
        while (event := machine.next_event()) is not None:
            found.append(event)
            if event.name == "IDLE" and type(event) is Command:
                machine.idle()
            elif event.name == "AUTHENTICATE":
                machine.challenge(b"")
            elif event.name == "STARTTLS" and type(event) is Command:
                machine.clear()
        kept = sum(map(len, machine._text)) + sum(map(len, machine._literals)) + len(machine._literal or b"")
        assert kept <= BOUND + 2 * MESSAGE + 100, kept
        said.append(machine.outgoing())
    return found, b"".join(said)


def pop3_events(pieces: list[bytes]) -> list[pop3.Event]:
    machine = pop3.ServerMachine()
    found = []
    for piece in pieces:
        machine.receive(piece)
        while (event := machine.next_event()) is not None:
            found.append(event)
            if isinstance(event, pop3.Command) and event.name == "AUTH":
                machine.challenge(b"")
        assert len(machine._buffer) <= pop3.MAX_RESPONSE
    return found


def named(data: bytes, lines: int) -> None:
    """What stands in commands: patterns and names, days; and a message of which some lines are asked for."""
    reference, _, name = data.decode("latin-1").partition("\n")
    pattern = patterns.canonical("", reference)
    if pattern is not None:
        assert patterns.canonical("", pattern) == pattern
        can_match = patterns.begins_below(pattern, "Other Users")
        assert can_match or not patterns.matches(pattern, "Other Users/" + name[:200])
        assert patterns.matches(pattern, name[:200]) <= patterns.matches("*", name[:200])
        bare = reference.translate({ord(mark): None for mark in "%*"})[:200]
        assert not bare or patterns.matches(
            patterns.canonical("", bare) or "*", "INBOX" if bare.upper() == "INBOX" else bare
        )
    with suppress(ValueError):
        assert modified_utf7.decode(modified_utf7.encode(decoded := modified_utf7.decode(data))) == decoded
    day, moment = dates.parse_day(data), dates.parse_internal(data)
    assert moment is None or len(dates.internal_date(moment)) >= 28
    assert day is None or abs(day) < 4_000_000
    assert data.startswith(pop3.top(data, lines))


def searched(data: bytes) -> None:
    """A SEARCH in a folder of nine messages becomes SQL in which nothing is the client's own: its words are parameters."""
    command = parse.parse(b"a UID SEARCH " + data, [])
    if not isinstance(command, Search):
        return
    with suppress(CommandFailed, MailboxError):
        term = finished(imap_search._Resolver(STATE, VIEW).term(command.program))
        assert search._Program(UUID(int=1), 1).expression(term) == search._Program(UUID(int=1), 1).expression(
            _other(term)
        )


def granted(data: bytes, bits: int) -> None:
    """SETACL grants nothing that was not named, and the second time nothing more."""
    letters = "".join(letter for letter in data.decode("latin-1") if acl.recognized(letter))
    before = Right(bits)
    for sign in ("", "+", "-"):
        after = acl.changed(before, sign, letters).rights
        gained = set(acl.letters_of(after)) - set(acl.letters_of(before)) - set(acl.VIRTUAL)
        assert gained <= {member for letter in letters for member in acl.VIRTUAL.get(letter, letter)}
        assert acl.changed(after, sign, letters).rights == after


def _other(term: SearchTerm) -> SearchTerm:
    """The same program with other words."""
    return replace(term, text=term.text and "x", name=term.name and "x", terms=tuple(map(_other, term.terms)))


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the machines do what they must not."""
    if not data:
        return
    seed, wire = data[0], data[1:]
    step = 1 + seed // 8
    pieces = [wire[start : start + step] for start in range(0, len(wire), step)]
    known = bool(seed & 1)
    if b"STARTTLS" not in wire.upper():  # after STARTTLS it matters what had come in already
        assert imap_events([wire], known) == imap_events(pieces, known)
    else:
        imap_events(pieces, known)
    assert pop3_events([wire]) == pop3_events(pieces)
    named(wire, seed)
    searched(wire)
    granted(wire, seed << 4 | seed >> 4)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
