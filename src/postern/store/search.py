"""SEARCH (RFC 9051 section 6.4.4) as one statement; SORT and THREAD (RFC 5256) of the messages that it finds.

Text was decoded and folded at delivery (`protocols.mime`); the string to look for is folded the same way and then compared
as bytes, so that the answer is exact for every charset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID
from weakref import WeakValueDictionary

from postern.model.mailbox import MailboxError
from postern.model.search import SearchResult, SearchTerm, SortKey
from postern.protocols.mime.message import NO_DATE
from postern.protocols.mime.words import fold_within
from postern.store import wire
from postern.store.connection import Canceled, Pool, Row
from postern.store.fetching import OWNED, no_folder
from postern.store.ranges import MAX_UID, merged
from postern.store.threads import Message, ordered_subject, references

ALL = ((1, MAX_UID),)
_DAY = 86_400
_FEW_RANGES = 16
_MAX_TERMS = 1000
_FEW_TERMS = 20
_MAX_DEPTH = 100
_THREADED_IN_LINE = 1000
"""Messages that are put into threads between two turns of the event loop."""
SECONDS = 120.0
"""The longest that a search may take. A search of 100,000 messages for a string that none has took 4 to 6 s on one busy core, for
twenty strings 57 s; mail clients wait for 100 s and longer."""
MAX_NEEDLE = 8192
"""Octets of a string to look for: every text is searched for it, so it is read while others wait."""

# RFC 5256 section 2.2: a message without a Date is sorted by the time when it came.
_SENT = f"coalesce(nullif(c.sent, {NO_DATE}), i.internal_date)"
_SENT_DAY = f"CASE WHEN c.sent = {NO_DATE} THEN i.internal_date / {_DAY} ELSE c.sent_day END"

_HIGHEST = "(SELECT f.highest_modseq FROM folders f WHERE f.id = $2::bigint)"


def _casemap(column: str) -> str:
    """Returns an expression for the order of i;unicode-casemap (RFC 5051), which RFC 5256 section 3 sorts by: letters are
    decomposed and in upper case, so that accents stand behind their letter, and `[`, `^` and `_` behind Z. In locale C, upper()
    knows ASCII alone; other letters are stored folded, and compared in lower case."""
    return f"upper(normalize({column}, NFKD))"


_SORT_KEYS = {
    "arrival": "i.internal_date",
    "cc": _casemap("c.sort_cc"),
    "date": _SENT,
    "from": _casemap("c.sort_from"),
    "size": "i.size",
    "subject": _casemap("c.base_subject"),
    "to": _casemap("c.sort_to"),
    "displayfrom": _casemap("c.display_from"),
    "displayto": _casemap("c.display_to"),
    "uid": "i.uid",
}


class _Program:
    """A SEARCH program on its way to SQL: expressions, parameters, and which tables they need."""

    def __init__(self, mailbox: UUID, folder: int) -> None:
        self.parameters: list[wire.Parameter] = [mailbox.bytes, wire.int8(folder)]
        self.contents = False
        self.texts = False
        self._terms = 0

    @property
    def is_slow(self) -> bool:
        """Whether the search may take more than moments in a large folder."""
        return self.texts or self._terms > _FEW_TERMS

    def number(self, value: int) -> str:
        self.parameters.append(wire.int8(max(-(1 << 63), min((1 << 63) - 1, value))))
        return f"${len(self.parameters)}::bigint"

    def text(self, value: str) -> str:
        self.parameters.append(wire.text(value))
        return f"${len(self.parameters)}::text"

    def expression(self, term: SearchTerm, depth: int = 0) -> str:
        self._terms += 1
        if self._terms > _MAX_TERMS or depth > _MAX_DEPTH:
            raise MailboxError("LIMIT", "The search program is too long")
        if term.key in ("and", "or", "not"):
            inner = [self.expression(child, depth + 1) for child in term.terms]
            if term.key == "or":
                return f"({' OR '.join(inner)})" if inner else "false"
            joined = f"({' AND '.join(inner)})" if inner else "true"
            return f"NOT {joined}" if term.key == "not" else joined
        build = _TERMS.get(term.key)
        if build is None:
            raise MailboxError("CANNOT", "That search key is not supported")
        return build(self, term)

    def field(self, name: str, value: str) -> str:
        """Finds messages with a header field whose value holds this string; the empty string finds all that have it."""
        self.texts = True
        start = self.text(f"\n{_folded(name)}:")
        if not value:
            return f"strpos(t.fields, {start}) > 0"
        return self._holds(start, self.text(_folded(value)))

    def address(self, name: str, value: str) -> str:
        """Finds messages by an address field as the envelope has it: rendering adds a line where the field reads otherwise."""
        if not value:
            return self.field(name, value)
        self.texts = True
        start, told, needle = self.text(f"\n{name}:"), self.text(f"\n {name}:"), self.text(_folded(value))
        return f"CASE WHEN strpos(t.fields, {told}) > 0 THEN {self._holds(told, needle)} ELSE {self._holds(start, needle)} END"

    @staticmethod
    def _holds(start: str, needle: str) -> str:
        # The cheap test first; what passes it is looked at field by field.
        return (
            f"(strpos(t.fields, {needle}) > 0 AND EXISTS (SELECT FROM unnest((string_to_array(t.fields, {start}))[2:])"
            f" AS v(value) WHERE strpos(split_part(v.value, E'\\n', 1), {needle}) > 0))"
        )

    def statement(self, what: str, inner: str, condition: str, order: str) -> str:
        joins = " JOIN contents c ON c.id = i.content" if self.contents else ""
        joins += " JOIN texts t ON t.content = i.content" if self.texts else ""
        return (
            # The text is ours alone; what users write is a parameter.
            f"SELECT {OWNED}, {what} FROM (SELECT {inner} FROM items i{joins}"  # noqa: S608 (our own words)
            f" WHERE i.folder = {OWNED} AND {condition} ORDER BY {order}) AS x"
        )


def _folded(text: str) -> str:
    """Returns a string to look for in the form that the texts have, folded by the same function. Raises MailboxError LIMIT.

    Bound: linear; MAX_NEEDLE octets, and as many once it is folded.
    """
    needle = fold_within(text, MAX_NEEDLE + 1) if len(text) <= MAX_NEEDLE else None
    if needle is None or len(needle.encode("utf-8", "surrogatepass")) > MAX_NEEDLE:
        raise MailboxError("LIMIT", "The string to look for is too long")
    return needle


def _all(_program: _Program, _term: SearchTerm) -> str:
    return "true"


def _flag(program: _Program, term: SearchTerm) -> str:
    bits = program.number(term.number)
    return f"i.flags & {bits} = {bits}"


def _uid(_program: _Program, term: SearchTerm) -> str:
    """Writes the UIDs into the statement, for they are checked numbers: a long set would need as many parameters.

    Bound: linear in the set; each message is looked up in it in logarithmic time.
    """
    pairs = list(zip(*merged(term.uids), strict=True))
    spans = [(low, high) for low, high in pairs if low < high]
    pieces = [f"i.uid BETWEEN {low} AND {high}" for low, high in spans[:_FEW_RANGES]]
    if len(spans) > _FEW_RANGES:  # many comparisons would be made one after the other for each message
        ranges = ",".join([f"[{low},{high}]" for low, high in spans])
        pieces = [f"i.uid <@ '{{{ranges}}}'::int8multirange"]
    if singles := [str(low) for low, high in pairs if low == high]:
        pieces.append(f"i.uid = ANY ('{{{','.join(singles)}}}'::bigint[])")
    return f"({' OR '.join(pieces)})" if pieces else "false"


def _compare(left: str, operator: str, scale: int = 1, sent: bool = False) -> Callable[[_Program, SearchTerm], str]:
    def build(program: _Program, term: SearchTerm) -> str:
        program.contents |= sent
        return f"{left} {operator} {program.number(term.number * scale)}"

    return build


def _day(left: str, sent: bool) -> Callable[[_Program, SearchTerm], str]:
    def build(program: _Program, term: SearchTerm) -> str:
        program.contents |= sent
        return f"{left} = {program.number(term.number)}"

    return build


def _address(name: str) -> Callable[[_Program, SearchTerm], str]:
    return lambda program, term: program.address(name, term.text)


def _header(program: _Program, term: SearchTerm) -> str:
    return program.field(term.name, term.text)


def _subject(program: _Program, term: SearchTerm) -> str:
    program.contents = True
    return f"strpos(c.subject, {program.text(_folded(term.text))}) > 0"


def _body(program: _Program, term: SearchTerm) -> str:
    program.texts = True
    return f"strpos(t.body, {program.text(_folded(term.text))}) > 0"


def _text(program: _Program, term: SearchTerm) -> str:
    program.texts = True
    needle = program.text(_folded(term.text))
    return f"(strpos(t.body, {needle}) > 0 OR strpos(t.fields, {needle}) > 0)"


def _class(program: _Program, term: SearchTerm) -> str:
    return f"starts_with(lower(i.class), {program.text(term.text.lower())})"


_TERMS: dict[str, Callable[[_Program, SearchTerm], str]] = {
    "all": _all,
    "flag": _flag,
    "uid": _uid,
    "arrived": _compare("i.internal_date", ">="),
    "class": _class,
    "before": _compare("i.internal_date", "<", _DAY),
    "since": _compare("i.internal_date", ">=", _DAY),
    "on": _day(f"i.internal_date / {_DAY}", False),
    "sentbefore": _compare(_SENT_DAY, "<", sent=True),
    "sentsince": _compare(_SENT_DAY, ">=", sent=True),
    "senton": _day(_SENT_DAY, True),
    "larger": _compare("i.size", ">"),
    "smaller": _compare("i.size", "<"),
    "modseq": _compare("i.modseq", ">="),
    "from": _address("from"),
    "to": _address("to"),
    "cc": _address("cc"),
    "bcc": _address("bcc"),
    "header": _header,
    "subject": _subject,
    "body": _body,
    "text": _text,
}


class Searches:
    """Runs the searches of one process, on connections of their own, so that nothing else waits for them. Each mailbox has one
    search at a time, so that one user's many sessions cannot take all connections. A search ends after `seconds`, or when its
    caller has gone. One connection is for searches that read no texts, such as for unseen messages: they do not wait for those
    that do."""

    def __init__(self, conninfo: str, connections: int, seconds: float) -> None:
        self._pools = {
            True: Pool(conninfo, connections, "postern-search", seconds),
            False: Pool(conninfo, 1, "postern-search", seconds),
        }
        self._turns: WeakValueDictionary[tuple[UUID, bool], asyncio.Lock] = WeakValueDictionary()

    async def run(self, mailbox: UUID, program: _Program, statement: str) -> Row:
        """Returns the one row of the statement. Raises MailboxError: LIMIT for what takes too long."""
        slow = program.is_slow
        turn = self._turns.setdefault((mailbox, slow), asyncio.Lock())
        await turn.acquire()
        # A statement whose caller went away keeps the turn of its mailbox until it has ended.
        try:
            rows = await self._pools[slow].read(statement, program.parameters, prepare=False, ended=turn.release)
        except Canceled:
            raise MailboxError("LIMIT", "The search takes too long: ask for less at a time") from None
        return rows[0]

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()


def renderings_read(mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey]) -> Sequence[tuple[int, int]]:
    """Returns the UIDs of the items with renderings that `search` reads: none if it needs flags, dates of arrival and sizes
    alone."""
    program = _Program(mailbox, folder)
    program.expression(term)
    if program.contents or program.texts or any("c." in _SORT_KEYS.get(key.key, "") for key in sort):
        return within(term)
    return ()


def within(term: SearchTerm) -> Sequence[tuple[int, int]]:
    """Returns ranges of UIDs outside of which the program finds nothing, as far as its top says so."""
    if term.key == "uid":
        return term.uids
    if term.key == "and":
        return next((inner.uids for inner in term.terms if inner.key == "uid"), ALL)
    return ALL


async def search(
    searches: Searches, mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey]
) -> SearchResult:
    program = _Program(mailbox, folder)
    condition = program.expression(term)
    order = []
    for key in sort:
        column = _SORT_KEYS.get(key.key)
        if column is None:
            raise MailboxError("CANNOT", "That sort key is not supported")
        program.contents |= "c." in column
        order.append(f"{column} {'DESC' if key.reverse else 'ASC'}")
    # "the message sequence number is the final key" (RFC 5256 section 3)
    what = f"{_HIGHEST}, string_agg(int8send(x.uid), '')"
    statement = program.statement(what, "i.uid", condition, ", ".join([*order, "i.uid"]))
    row = await searches.run(mailbox, program, statement)
    if row[0] is None:
        raise no_folder()
    return SearchResult(wire.words32(row[2]), wire.to_int8(row[1]))


async def thread(searches: Searches, mailbox: UUID, folder: int, term: SearchTerm, algorithm: str) -> bytes:
    build = {"REFERENCES": references, "ORDEREDSUBJECT": ordered_subject}.get(algorithm)
    if build is None:
        raise MailboxError("CANNOT", "That threading algorithm is not supported")
    program = _Program(mailbox, folder)
    condition = program.expression(term)
    program.contents = True
    statement = program.statement(
        "array_agg(x.message_id), array_agg(x.refs), array_agg(x.base_subject), string_agg(int8send(x.uid), ''),"
        " string_agg(int8send(x.sent), ''), string_agg(int8send(x.reply), '')",
        f"i.uid, {_SENT} AS sent, c.message_id, c.refs, c.base_subject, c.is_reply::integer::bigint AS reply",
        condition,
        "i.uid",
    )
    row = await searches.run(mailbox, program, statement)
    if row[0] is None:
        raise no_folder()
    messages = [
        Message(uid, sent, bytes(message_id), tuple(refs.split()), bytes(subject), bool(reply))
        for uid, sent, message_id, refs, subject, reply in zip(
            wire.words32(row[4]),
            wire.words64(row[5]),
            wire.to_array(row[1]),
            wire.to_array(row[2]),
            wire.to_array(row[3]),
            wire.words64(row[6]),
            strict=True,
        )
    ]
    # References that many messages have in common are followed for each of them: others should not wait for that.
    return await asyncio.to_thread(build, messages) if len(messages) > _THREADED_IN_LINE else build(messages)
