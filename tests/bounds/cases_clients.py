"""Worst cases of what reads mail clients: protocols.imap and protocols.pop3."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import cast

from postern.model.folders import Folder, FolderKind, Right
from postern.model.items import Index
from postern.model.search import SearchTerm
from postern.protocols.imap import acl, dates, modified_utf7, older_structure, parse, patterns
from postern.protocols.imap import machine as imap
from postern.protocols.imap.cursor import SAVED
from postern.protocols.pop3 import machine as pop3
from postern.services.imap import search as imap_search
from postern.services.imap.failures import CommandFailed
from postern.services.imap.homes import Home, Place
from postern.services.imap.state import ImapState
from postern.services.imap.view import WORD, FolderView
from postern.store import search
from tests.bounds.growth import Cases, Work, finished, pieces


def _imap(wire: bytes, step: int = 1000) -> Work:
    def work() -> None:
        machine = imap.ServerMachine()
        machine.max_command, machine.max_message, machine.max_append = imap.MEMBER_COMMAND, 1 << 20, 1 << 21
        for piece in pieces(wire, step):
            machine.receive(piece)
            while machine.next_event() is not None:
                pass
        machine.outgoing()

    return work


def _pop3(wire: bytes, step: int = 100) -> Work:
    def work() -> None:
        machine = pop3.ServerMachine()
        for piece in pieces(wire, step):
            machine.receive(piece)
            while machine.next_event() is not None:
                pass

    return work


def _modified(data: bytes) -> Work:
    def work() -> None:
        with suppress(ValueError):
            modified_utf7.decode(data)

    return work


def _command(text: bytes, *literals: bytes) -> Work:
    return partial(parse.parse, text, list(literals))


def _searched(terms: Callable[[int], Sequence[SearchTerm]]) -> Callable[[int], Work]:
    """SEARCH in a folder whose every second message is recent and in "$"."""

    def build(size: int) -> Work:
        count = size // 16
        folder = Folder(1, ("INBOX",), FolderKind.INBOX, 1, count + 1, 1, count, 0, 0, 0, 1, True, ())
        odd = range(1, count + 1, 2)
        view = FolderView(Place(cast(Home, None), folder), False, [(uid, uid) for uid in odd])
        flags = array("Q", bytes(8 * count)).tobytes()
        view.load(Index(1, count + 1, count, array(WORD, range(1, count + 1)).tobytes(), flags, flags, b""), None)
        state = cast(ImapState, SimpleNamespace(saved=list(odd)))
        program = SearchTerm("and", terms=tuple(terms(size // 16)))

        def work() -> None:
            with suppress(CommandFailed):
                finished(imap_search._Resolver(state, view).term(program))

        return work

    return build


_GLOBAL = b'("message" "global" '

CASES: Cases = {
    "protocols.imap.dates.parse_day": lambda size: partial(dates.parse_day, b"1-Feb-1994" + b"4" * size),
    "protocols.imap.dates.parse_internal": lambda size: partial(dates.parse_internal, b" " * size),
    "protocols.imap.machine.ServerMachine: a line in pieces": lambda size: _imap(b"a NOOP" + b" " * size + b"\r\n", 7),
    "protocols.imap.machine.ServerMachine: literals": lambda size: _imap(
        b"a ID (" + b"{0+}\r\n " * (size // 7) + b"\r\n"
    ),
    "protocols.imap.machine.ServerMachine: a message": lambda size: _imap(
        b"a APPEND x {%d+}\r\n" % size + bytes(size) + b"\r\n", 50
    ),
    "protocols.imap.machine.ServerMachine: sizes": lambda size: _imap(b"a NOOP " + b"{1" * (size // 2) + b"\r\n"),
    "protocols.imap.parse.parse: ranges": lambda size: _command(b"a UID FETCH " + b"1:2," * (size // 4) + b"1 FLAGS"),
    "protocols.imap.parse.parse: quotes": lambda size: _command(b'a LOGIN "' + b'\\"' * (size // 2)),
    "protocols.imap.parse.parse: search": lambda size: _command(b"a SEARCH " + b"NOT " * (size // 4)),
    "protocols.imap.parse.parse: parentheses": lambda size: _command(b"a SEARCH " + b"(" * size),
    "protocols.imap.parse.parse: fields": lambda size: _command(
        b"a FETCH 1 BODY[HEADER.FIELDS (" + b"x " * (size // 2) + b"x)]"
    ),
    "protocols.imap.parse.parse: patterns": lambda size: _command(b'a LIST "" (' + b"%* " * (size // 3) + b"%)"),
    "protocols.imap.parse.parse: rights": lambda size: _command(b'a SETACL x y "' + b"lrsw" * (size // 4) + b'"'),
    "protocols.imap.acl.recognized": lambda size: partial(acl.recognized, "lrswite" * (size // 7)),
    "protocols.imap.acl.changed": lambda size: partial(acl.changed, Right(0), "+", "lrswcd" * (size // 6)),
    "protocols.imap.older_structure.without_global: tokens": lambda size: partial(
        older_structure.without_global, _GLOBAL + b"NIL " * (size // 4) + b")"
    ),
    "protocols.imap.older_structure.without_global: levels": lambda size: partial(
        older_structure.without_global, _GLOBAL + b"(" * (size // 2) + b")" * (size // 2) + b")"
    ),
    "protocols.imap.older_structure.without_global: quotes": lambda size: partial(
        older_structure.without_global, _GLOBAL + b'"' + b'\\"' * (size // 2)
    ),
    "protocols.imap.modified_utf7.decode: shifts": lambda size: _modified(b"&A" * (size // 2)),
    "protocols.imap.modified_utf7.decode: names": lambda size: _modified(b"&AOk-" * (size // 5)),
    "protocols.imap.patterns.begins_below": lambda size: partial(patterns.begins_below, "O" * size, "Other Users"),
    "protocols.imap.patterns.canonical": lambda size: partial(patterns.canonical, "", "%" * size),
    "protocols.imap.patterns.matches": lambda size: partial(patterns.matches, "*a" * 20 + "b", "a" * (size // 8)),
    "protocols.pop3.machine.ServerMachine: a line in pieces": lambda size: _pop3(b"AUTH " + b"x" * size + b"\r\n", 7),
    "protocols.pop3.machine.ServerMachine: short lines": lambda size: _pop3(b"\n" * size),
    "protocols.pop3.machine.top": lambda size: partial(pop3.top, b"\r\n\r\n" + b"\n" * size, 9_999_999_999),
    "services.imap.search._Resolver.term: $ again and again": _searched(
        lambda many: [SearchTerm("sequence", uids=SAVED)] * many
    ),
    "services.imap.search._Resolver.term: RECENT again and again": _searched(
        lambda many: [SearchTerm("recent")] * many
    ),
    "services.imap.search._Resolver.term: a long set": _searched(
        lambda many: [SearchTerm("uid", uids=tuple((n, n) for n in range(1, many, 2)))]
    ),
    "store.search._uid": lambda size: partial(
        search._uid,
        cast(search._Program, None),
        SearchTerm("uid", uids=tuple((n, n + 1) for n in range(size // 4, 1, -3))),
    ),
}
