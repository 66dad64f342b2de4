"""The If header field of WebDAV (RFC 4918 section 10.4): lock tokens that the client has, and states that it expects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from postern.protocols.dav.fields import FieldError, read_url

MAX_IF = 8_192
MAX_CONDITIONS = 64
"""Conditions of one field. A client names its lock tokens, one or two for each resource that it changes."""
_TAG = re.compile(r"<([^<>\s]{1,2048})>")
_ETAG = re.compile(r'\[((?:W/)?"[^"\]\x00-\x20]{0,255}")\]')
_SPACE = re.compile(r"\s*+")


@dataclass(frozen=True, slots=True)
class Condition:
    """A state token (`token`) or an entity tag with its quotes (`tag`) that the resource has; with `negated`, has not."""

    token: str = ""
    tag: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class ConditionList:
    """Conditions that hold together. `path` is that of the resource they are about; "" for the one of the request."""

    path: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class IfHeader:
    """The field's lists: it holds if one of them does."""

    lists: tuple[ConditionList, ...] = ()

    @property
    def tokens(self) -> frozenset[str]:
        """The state tokens that the client has submitted. RFC 4918 section 10.4.1: also those of lists that do not hold."""
        return frozenset(each.token for part in self.lists for each in part.conditions if each.token)

    @property
    def paths(self) -> list[str]:
        """The paths that lists are about, besides the one of the request."""
        return list(dict.fromkeys(part.path for part in self.lists if part.path))

    def holds(self, state: Callable[[str], tuple[str, Iterable[str]]]) -> bool:
        """Whether one of the lists holds. `state` returns the entity tag ("" for none) and the lock tokens of the resource at a
        path ("": of the request)."""
        return not self.lists or any(self._is_met(part, state) for part in self.lists)

    def _is_met(self, part: ConditionList, state: Callable[[str], tuple[str, Iterable[str]]]) -> bool:
        tag, tokens = state(part.path)
        locks = set(tokens)
        for each in part.conditions:
            is_so = each.token in locks if each.token else bool(tag) and each.tag == tag
            if is_so == each.negated:
                return False
        return True


def read_if(value: str | None, host: str = "") -> IfHeader:
    """Reads an If field. Raises FieldError.

    Bound: linear; at most MAX_IF characters and MAX_CONDITIONS conditions.
    """
    if value is None:
        return IfHeader()
    if len(value) > MAX_IF:
        raise FieldError("If is too long")
    lists: list[ConditionList] = []
    count = 0
    path = ""
    place = _after_space(value, 0)
    while place < len(value):
        if value[place] == "<" and (match := _TAG.match(value, place)) is not None:
            # A resource elsewhere has no state here: its conditions fail, and a negated one holds.
            path = read_url(match[1], host) or f"//{match[1]}"
            place = _after_space(value, match.end())
            if value[place : place + 1] != "(":
                raise FieldError("If has a resource without a list")
        elif value[place] == "(":
            conditions, place = _read_list(value, place + 1)
            count += len(conditions)
            if count > MAX_CONDITIONS:
                raise FieldError("If has too many conditions")
            lists.append(ConditionList(path, conditions))
            place = _after_space(value, place)
        else:
            raise FieldError("If cannot be read")
    if not lists:
        raise FieldError("If is empty")
    return IfHeader(tuple(lists))


def _read_list(value: str, place: int) -> tuple[tuple[Condition, ...], int]:
    conditions: list[Condition] = []
    while True:
        place = _after_space(value, place)
        if value[place : place + 1] == ")" and conditions:
            return tuple(conditions), place + 1
        negated = value[place : place + 3].lower() == "not"
        if negated:
            place = _after_space(value, place + 3)
        if (match := _TAG.match(value, place)) is not None:
            conditions.append(Condition(token=match[1], negated=negated))
        elif (match := _ETAG.match(value, place)) is not None:
            conditions.append(Condition(tag=match[1], negated=negated))
        else:
            raise FieldError("If has a condition that cannot be read")
        place = match.end()


def _after_space(value: str, place: int) -> int:
    match = _SPACE.match(value, place)
    return match.end() if match else place
