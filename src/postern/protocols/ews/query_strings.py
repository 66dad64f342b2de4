"""Query strings of a search: the part of Advanced Query Syntax that FindItem has (MS-OXWSSRCH section 3.1.4.2.3.7).

A query is words, phrases in quotation marks, and keywords with a value: `from:anna subject:"the plan" size:>10KB`. All
have to hold; `OR`, `NOT`, `-` and parentheses join them in other ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import (
    MAX_CONDITIONS,
    And,
    Anywhere,
    Compare,
    Condition,
    Contains,
    Mode,
    Not,
    Operator,
    Or,
)
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.paths import FieldPath, PropertyPath
from postern.protocols.ews.times import written

MAX_QUERY = 4_000
"""Characters of a query."""
_MAX_DEPTH = 50
_TOKEN = re.compile(r'(?P<sign>[()])|"(?P<phrase>[^"]*+)"?+|(?P<word>[^\s()"]++)')
_SIZE = re.compile(r"(?P<sign>[<>]=?|=)?(?P<number>\d{1,12})(?P<unit>b|kb|mb|gb)?", re.ASCII | re.IGNORECASE)
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_TIME = re.compile(r"\d\d:\d\d(?::\d\dZ?)?", re.ASCII)
_SIGNS = {
    ">=": Operator.GREATER_OR_EQUAL,
    "<=": Operator.LESS_OR_EQUAL,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}
_SUBJECT = FieldPath("item:Subject")
_TEXTS: Mapping[str, tuple[PropertyPath, ...]] = {
    "subject": (_SUBJECT,),
    "from": (FieldPath("message:From"),),
    "to": (FieldPath("message:ToRecipients"),),
    "cc": (FieldPath("message:CcRecipients"),),
    "bcc": (FieldPath("message:BccRecipients"),),
    "participants": (
        FieldPath("message:From"),
        FieldPath("message:ToRecipients"),
        FieldPath("message:CcRecipients"),
        FieldPath("message:BccRecipients"),
    ),
    "category": (FieldPath("item:Categories"),),
    "attachment": (FieldPath("item:Attachments"),),
}
_BOOLEANS: Mapping[str, PropertyPath] = {
    "hasattachment": FieldPath("item:HasAttachments"),
    "hasattachments": FieldPath("item:HasAttachments"),
    "isread": FieldPath("message:IsRead"),
}
_DATES: Mapping[str, PropertyPath] = {
    "sent": FieldPath("item:DateTimeSent"),
    "received": FieldPath("item:DateTimeReceived"),
}
_CLASSES = {
    "email": "IPM.Note",
    "meetings": "IPM.Appointment",
    "contacts": "IPM.Contact",
    "tasks": "IPM.Task",
    "notes": "IPM.StickyNote",
    "journals": "IPM.Activity",
    "docs": "IPM.Document",
    "posts": "IPM.Post",
    "faxes": "IPM.Note.Microsoft.Fax",
    "voicemail": "IPM.Note.Microsoft.Voicemail",
    "im": "IPM.Note.Microsoft.Conversation",
}
"""The classes of the values of `kind`."""
_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0"})
_KEYWORDS = frozenset({*_TEXTS, *_BOOLEANS, *_DATES, "body", "importance", "kind", "size", "isflagged"})


def read_query(text: str, now: int) -> Condition | None:
    """Reads a query; None for one without words, which all items match. `now` is the time (seconds since the epoch), for "today".
    Days are those of UTC. Raises EwsError: ErrorQueryFilterTooLong, ErrorRestrictionTooComplex, ErrorUnsupportedQueryFilter.

    Bound: linear; at most MAX_QUERY characters, MAX_CONDITIONS conditions and 50 levels.
    """
    if len(text) > MAX_QUERY:
        raise EwsError(Code.QUERY_FILTER_TOO_LONG)
    reader = _Reader(text, now)
    condition = reader.alternatives(0)
    if not reader.is_done:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    return condition


class _Reader:
    """Reads tokens: ("sign", "("), ("phrase", "two words") or ("word", "from:anna")."""

    def __init__(self, text: str, now: int) -> None:
        self._tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(text)]
        self._place = 0
        self._left = MAX_CONDITIONS
        self._today = datetime.fromtimestamp(now, UTC).date()

    @property
    def is_done(self) -> bool:
        return self._place >= len(self._tokens)

    @property
    def _next(self) -> tuple[str, str]:
        return ("", "") if self.is_done else self._tokens[self._place]

    def alternatives(self, depth: int, keyword: str = "") -> Condition | None:
        """Reads up to a closing parenthesis or the end. `keyword` is that of words without one of their own."""
        if depth > _MAX_DEPTH:
            raise EwsError(Code.RESTRICTION_TOO_COMPLEX)
        terms = [self._together(depth, keyword)]
        while self._next == ("word", "OR"):
            self._place += 1
            terms.append(self._together(depth, keyword))
        known = tuple(term for term in terms if term is not None)
        return Or(known) if len(known) > 1 else known[0] if known else None

    def _together(self, depth: int, keyword: str) -> Condition | None:
        terms: list[Condition] = []
        while not self.is_done and self._next not in (("word", "OR"), ("sign", ")")):
            if self._next == ("word", "AND"):
                self._place += 1
                continue
            term = self._term(depth, keyword)
            if term is not None:
                terms.append(term)
        return And(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None

    def _term(self, depth: int, keyword: str) -> Condition | None:
        self._left -= 1
        if self._left < 0:
            raise EwsError(Code.RESTRICTION_TOO_COMPLEX)
        is_not = False
        while self._next == ("word", "NOT"):
            self._place += 1
            is_not = not is_not
        kind, text = self._next
        if kind == "word" and text.startswith("-") and len(text) > 1:
            is_not, text = not is_not, text[1:]
        if kind == "word":
            name, colon, rest = text.partition(":")
            if colon and name.lower() in _KEYWORDS:
                keyword, text = name.lower(), rest
                if not text:
                    self._place += 1
                    kind, text = self._next
        term = self._value(depth, keyword, kind, text)
        return Not(term) if is_not and term is not None else term

    def _value(self, depth: int, keyword: str, kind: str, text: str) -> Condition | None:
        if kind == "sign":
            if text == ")":
                raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
            self._place += 1
            inner = self.alternatives(depth + 1, keyword)
            if self._next != ("sign", ")"):
                raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
            self._place += 1
            return inner
        self._place += 1
        if keyword in {*_DATES, "size"} and text in _SIGNS and self._next[0] in ("word", "phrase"):
            # Programs write a space behind the sign, too: "received: > 2026-11-30".
            text += self._next[1]
            self._place += 1
        is_begun = text.lower() in ("this", "last") or _TIME.fullmatch(self._next[1])
        if keyword in _DATES and is_begun and self._next[0] == "word":
            text = f"{text} {self._next[1]}"
            self._place += 1
        return self._condition(keyword, text, kind == "phrase") if text else None

    def _condition(self, keyword: str, text: str, is_phrase: bool) -> Condition:
        if keyword in _TEXTS:
            mode = Mode.EXACT_PHRASE if is_phrase else Mode.PREFIX_ON_WORDS
            terms = tuple(Contains(path, text, mode, ignores_case=True) for path in _TEXTS[keyword])
            return Or(terms) if len(terms) > 1 else terms[0]
        if keyword in _BOOLEANS:
            return Compare(_BOOLEANS[keyword], Operator.EQUAL, _boolean(text))
        if keyword in _DATES:
            return self._date(_DATES[keyword], text)
        if keyword == "isflagged":
            flagged = Contains(FieldPath("item:Flag"), "Flagged", Mode.FULL)
            return flagged if _boolean(text) == "true" else Not(flagged)
        if keyword == "importance":
            return Compare(FieldPath("item:Importance"), Operator.EQUAL, text.title())
        if keyword == "kind":
            name = _CLASSES.get(text.lower(), text)
            return Contains(FieldPath("item:ItemClass"), name, Mode.PREFIXED, ignores_case=True)
        if keyword == "size":
            return _size(text)
        return Anywhere(text, in_body=keyword == "body")

    def _date(self, path: PropertyPath, text: str) -> Condition:
        sign = next((each for each in _SIGNS if text.startswith(each)), "")
        first, dots, last = text[len(sign) :].partition("..")
        begin, end = self._span(first)
        if dots:
            end = self._span(last)[1]
        if sign:
            operator = _SIGNS[sign]
            bound = end if operator in (Operator.GREATER, Operator.LESS_OR_EQUAL) else begin
            operator = Operator.GREATER_OR_EQUAL if sign.startswith(">") else Operator.LESS
            return Compare(path, operator, _utc(bound))
        since = Compare(path, Operator.GREATER_OR_EQUAL, _utc(begin))
        return And((since, Compare(path, Operator.LESS, _utc(end))))

    def _span(self, text: str) -> tuple[datetime, datetime]:
        """The beginning of a span of time, and of what comes after it."""
        make = _SPANS.get(text.lower())
        if make is not None:
            first, after = make(self._today)
            return _midnight(first), _midnight(after)
        for form, length in _FORMS:
            try:
                begin = datetime.strptime(text, form).replace(tzinfo=UTC)
                return begin, begin + length
            except (ValueError, OverflowError):
                continue
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)


_DAY = timedelta(1)
_FORMS = (
    ("%Y-%m-%d", _DAY),
    ("%m/%d/%Y", _DAY),
    *((f"%Y-%m-%d{between}%H:%M:%S{zone}", timedelta(seconds=1)) for between in " T" for zone in ("", "Z")),
    ("%Y-%m-%d %H:%M", timedelta(minutes=1)),
)
"""The ways to write a day or a time of it, which is in UTC, and how long each lasts."""


def _week(today: date, back: int) -> tuple[date, date]:
    begin = today - timedelta((today.weekday() + 1) % 7 + 7 * back)
    return begin, begin + timedelta(7)


def _month(today: date, back: int) -> tuple[date, date]:
    begin = today.replace(day=1)
    for _ in range(back):
        begin = (begin - _DAY).replace(day=1)
    return begin, (begin + timedelta(32)).replace(day=1)


def _year(today: date, back: int) -> tuple[date, date]:
    return date(today.year - back, 1, 1), date(today.year - back + 1, 1, 1)


_SPANS: Mapping[str, Callable[[date], tuple[date, date]]] = {
    "today": lambda today: (today, today + _DAY),
    "yesterday": lambda today: (today - _DAY, today),
    "this week": lambda today: _week(today, 0),
    "last week": lambda today: _week(today, 1),
    "this month": lambda today: _month(today, 0),
    "last month": lambda today: _month(today, 1),
    "this year": lambda today: _year(today, 0),
    "last year": lambda today: _year(today, 1),
}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _utc(time: datetime) -> str:
    return written(int(time.timestamp()))


def _boolean(text: str) -> str:
    folded = text.lower()
    if folded not in _YES | _NO:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    return "true" if folded in _YES else "false"


def _size(text: str) -> Condition:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    octets = int(match["number"]) * _UNITS[(match["unit"] or "b").lower()]
    return Compare(FieldPath("item:Size"), _SIGNS.get(match["sign"] or "", Operator.EQUAL), str(octets))
