"""Regular expressions whose work may grow faster than their input, found by looking at the parsed pattern.

Two things make Python's matcher slow. It gives back what a repetition has taken and tries again: that is harmless where what
follows cannot begin with what is given back, or where the repetition is possessive or atomic. And a search begins anew at
every place: that is harmless where no place inside of a long repetition can begin a match. Repetitions of up to 64 characters are
not looked at unless they stand in a longer one. Sets of characters are exact up to U+00FF; all others count as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from re import _constants as c  # type: ignore[attr-defined]  # the parser of the standard library is not in the stubs
from re import _parser  # type: ignore[attr-defined]  # likewise
from typing import Any

OTHER = 1 << 256
ALL = (1 << 257) - 1
SHORT = 64
BOUNDED = 512
"""Characters that a search may read again from every place: a factor, not a growth."""
_REPEATS = (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT)
_CATEGORIES = {
    c.CATEGORY_DIGIT: r"\d",
    c.CATEGORY_NOT_DIGIT: r"\D",
    c.CATEGORY_SPACE: r"\s",
    c.CATEGORY_NOT_SPACE: r"\S",
    c.CATEGORY_WORD: r"\w",
    c.CATEGORY_NOT_WORD: r"\W",
}
Items = Sequence[tuple[Any, Any]]


def faults(pattern: str | bytes, flags: int, whole: bool, searched: bool) -> list[str]:
    """What is wrong with a pattern: `whole` for fullmatch, `searched` for everything that may begin anywhere."""
    parsed = _parser.parse(pattern, flags)
    look = _Look(parsed.state.flags)
    found = list(look.given_back(list(parsed), 0, False))
    if searched:
        for way in look.ways(list(parsed)):
            found += look.begun_anew(way)
    return list(dict.fromkeys(found))


def _bit(code: int) -> int:
    return 1 << code if code < 256 else OTHER


class _Look:
    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._other = OTHER if flags & re.UNICODE else 0

    def set_of(self, op: Any, value: Any) -> int | None:
        """The characters of an item that takes one; None for any other item."""
        if op is c.LITERAL:
            return self._cased(_bit(value))
        if op is c.NOT_LITERAL:
            return ALL & ~(self._cased(_bit(value)) & ~OTHER)
        if op is c.ANY:
            return ALL if self._flags & re.DOTALL else ALL & ~_bit(10)
        if op is not c.IN:
            return None
        found = 0
        for kind, inner in value:
            if kind is c.LITERAL:
                found |= _bit(inner)
            elif kind is c.RANGE:
                low, high = inner
                found |= sum(1 << code for code in range(low, min(high, 255) + 1)) | (OTHER if high > 255 else 0)
            elif kind is c.CATEGORY:
                text = _CATEGORIES[inner]
                known = sum(1 << code for code in range(256) if re.fullmatch(text, chr(code)))
                found |= known | self._other
        found = self._cased(found)
        return ALL & ~(found & ~OTHER) if value[0][0] is c.NEGATE else found

    def _cased(self, found: int) -> int:
        if not self._flags & re.IGNORECASE:
            return found
        for code in range(256):
            if found >> code & 1:
                for cased in (chr(code).lower(), chr(code).upper()):
                    found |= _bit(ord(cased)) if len(cased) == 1 else OTHER
        return found

    def first(self, items: Items, behind: int = 0) -> int:
        """What the items can begin with; `behind` is what can follow them if they are empty."""
        found = 0
        for op, value in items:
            single = self.set_of(op, value)
            if single is not None:
                return found | single
            if op in _REPEATS:
                found |= self.first(value[2])
            elif op is c.BRANCH:
                for branch in value[1]:
                    found |= self.first(branch)
            elif op in (c.SUBPATTERN, c.ATOMIC_GROUP):
                found |= self.first(self.inner(op, value))
            elif op is c.GROUPREF:
                found |= ALL
            if not self.empty(op, value):
                return found
        return found | behind

    def inner(self, op: Any, value: Any) -> Items:
        return list(value[-1] if op is c.SUBPATTERN else value)

    def empty(self, op: Any, value: Any) -> bool:
        """Whether the item can take nothing."""
        if op in _REPEATS:
            return value[0] == 0 or all(self.empty(*one) for one in value[2])
        if op is c.BRANCH:
            return any(all(self.empty(*one) for one in branch) for branch in value[1])
        if op in (c.SUBPATTERN, c.ATOMIC_GROUP):
            return all(self.empty(*one) for one in self.inner(op, value))
        return self.set_of(op, value) is None

    def given_back(self, items: Items, behind: int, repeated: bool) -> Iterator[str]:
        """`behind` is what can follow these items; `repeated`: they stand in a repetition that gives back."""
        for at, (op, value) in enumerate(items):
            follow = self.first(items[at + 1 :], behind)
            if op in _REPEATS:
                low, high, body = value
                if op is c.POSSESSIVE_REPEAT:
                    yield from self.given_back(body, 0, False)
                    continue
                begin = self.first(body)
                if low != high and (repeated or high > SHORT):
                    if all(self.empty(*one) for one in body):
                        yield "a repetition of what may be empty"
                    elif begin & follow:
                        yield "a repetition before what it could have taken"
                more = high > 1
                yield from self.given_back(body, follow | (begin if more else 0), repeated or high > SHORT)
            elif op is c.BRANCH:
                seen = 0
                for branch in value[1]:
                    begin = self.first(branch, follow)
                    if repeated and seen & begin:
                        yield "alternatives in a repetition that begin alike"
                    seen |= begin
                    yield from self.given_back(branch, follow, repeated)
            elif op is c.SUBPATTERN:
                yield from self.given_back(self.inner(op, value), follow, repeated)
            elif op is c.ATOMIC_GROUP:
                yield from self.given_back(self.inner(op, value), 0, False)
            elif op in (c.ASSERT, c.ASSERT_NOT):
                yield from self.given_back(value[1], 0, False)

    def ways(self, items: Items) -> list[list[tuple[Any, Any]]]:
        """The pattern's alternatives, groups opened."""
        ways: list[list[tuple[Any, Any]]] = [[]]
        for op, value in items:
            if op in (c.SUBPATTERN, c.ATOMIC_GROUP):
                more = self.ways(self.inner(op, value))
            elif op is c.BRANCH:
                more = [way for branch in value[1] for way in self.ways(branch)]
            else:
                more = [[(op, value)]]
            ways = [way + one for way in ways for one in more]
        return ways

    def begun_anew(self, items: Items) -> Iterator[str]:
        if all(self.empty(*one) for one in items) and not any(
            one[0] in (c.AT, c.ASSERT, c.ASSERT_NOT) for one in items
        ):
            return
        if items[0] == (c.AT, c.AT_BEGINNING_STRING) or (items[0][0] is c.AT and not self._flags & re.MULTILINE):
            return
        heads = self._heads(items)
        for at, (op, value) in enumerate(items):
            if op not in _REPEATS:
                continue
            if value[1] <= BOUNDED and not self._long_inside(value[2]):
                continue
            body = list(value[2])
            single = self.set_of(*body[0]) if len(body) == 1 else None
            rest = items[at + 1 :]
            sure = all(self.empty(*one) and one[0] in _REPEATS for one in rest)
            # Once the repetition is under way, nothing can fail any more: all that it took is behind the search.
            if sure and value[0] <= SHORT and all(not self._long_inside(way[:-1]) for way in self.ways(body)):
                continue
            if at == 1 and single is not None and self._behind_no(items[0], single):
                continue
            alphabet = self.alphabet(body)
            if all(one & alphabet for one in heads):
                yield "a repetition that the search begins again and again in"

    def _heads(self, items: Items) -> list[int]:
        """The sets of the single characters that a match begins with; what the items can begin with if there is none."""
        heads = []
        for item in items:
            single = self.set_of(*item)
            if single is None:
                break
            heads.append(single)
        return heads or [self.first(items)]

    def _long_inside(self, items: Items) -> bool:
        return any(
            (op in _REPEATS and (value[1] > BOUNDED or self._long_inside(value[2])))
            or (op is c.BRANCH and any(map(self._long_inside, value[1])))
            or (op in (c.SUBPATTERN, c.ATOMIC_GROUP) and self._long_inside(self.inner(op, value)))
            for op, value in items
        )

    def _behind_no(self, item: tuple[Any, Any], body: int) -> bool:
        """Whether the item is a look back that none of these stands before."""
        op, value = item
        if op is not c.ASSERT_NOT or value[0] != -1 or len(value[1]) != 1:
            return False
        before = self.set_of(*value[1][0])
        return before is not None and not body & ~before

    def alphabet(self, items: Items) -> int:
        found = 0
        for op, value in items:
            single = self.set_of(op, value)
            if single is not None:
                found |= single
            elif op in _REPEATS:
                found |= self.alphabet(value[2])
            elif op is c.BRANCH:
                for branch in value[1]:
                    found |= self.alphabet(branch)
            elif op in (c.SUBPATTERN, c.ATOMIC_GROUP):
                found |= self.alphabet(self.inner(op, value))
            elif op is c.GROUPREF:
                found |= ALL
        return found
