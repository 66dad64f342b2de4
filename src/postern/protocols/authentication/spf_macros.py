"""Macros of SPF (RFC 7208 section 7): replaces %{...} in a text.

The facts of one check and the client's names are arguments; nothing is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

MAX_NAME = 253
MAX_EXPANDED = 65_536
"""Characters that the macros of one text may make together."""

_MACRO = re.compile(r"%(?:\{([A-Za-z])([0-9]*)([Rr]?)([.\-+,/_=]*)\}|([%_-])|)")
_FIXED = {"%": "%", "_": " ", "-": "%20"}
_UNRESERVED = "-._~"


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one check. `sender` is local@domain, completed where MAIL FROM was null; `receiver` and `now` are for
    explanations."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    helo: str
    sender: str
    receiver: str = "unknown"
    now: int = 0


def expanded(text: str, facts: Facts, domain: str, names: Sequence[str], explaining: bool = False) -> str:
    """Replaces the macros of a text; `names` are the client's validated names, for %{p}. An explanation stays as long as it is;
    any other text is a domain name, and loses labels in front until DNS can be asked for it. Raises ValueError for a malformed
    macro.

    Bound: linear in the text and in what its macros make, which is at most 65,536 characters.
    """
    room = MAX_EXPANDED

    def replaced(match: re.Match[str]) -> str:
        nonlocal room
        letter, digits, reverse, delimiters, fixed = match.groups()
        if fixed:
            return _FIXED[fixed]
        if not letter:
            raise ValueError("a lone %")
        value = _value(letter.lower(), facts, domain, names, explaining)
        if digits or reverse or delimiters:
            value = _transformed(value, digits, bool(reverse), delimiters or ".")
        room -= len(value)
        if room < 0:
            raise ValueError("macros that make too much")
        return quote(value, safe=_UNRESERVED) if letter.isupper() else value

    result = _MACRO.sub(replaced, text)
    return result if explaining else _shortened(result)


def _value(letter: str, facts: Facts, domain: str, names: Sequence[str], explaining: bool) -> str:
    address = facts.address
    local, _, sender_domain = facts.sender.rpartition("@")
    match letter:
        case "s":
            return facts.sender
        case "l":
            return local
        case "o":
            return sender_domain
        case "d":
            return domain
        case "i":
            return str(address) if address.version == 4 else ".".join(f"{int(address):032x}")
        case "p":
            return _best(names, domain)
        case "v":
            return "in-addr" if address.version == 4 else "ip6"
        case "h":
            return facts.helo
        case "c" if explaining:
            return str(address)
        case "r" if explaining:
            return facts.receiver
        case "t" if explaining:
            return str(facts.now)
    raise ValueError(f"%{{{letter}}} has no meaning here")


def _best(names: Sequence[str], domain: str) -> str:
    """The name for %{p} (RFC 7208 section 7.3): the domain itself, else one below it, else any."""
    lower = domain.lower()
    for name in names:
        if name.lower() == lower:
            return name
    for name in names:
        if name.lower().endswith("." + lower):
            return name
    return names[0] if names else "unknown"


def _transformed(value: str, digits: str, reverse: bool, delimiters: str) -> str:
    parts = re.split("[" + re.escape(delimiters) + "]", value)
    if reverse:
        parts.reverse()
    if digits:
        parts = parts[-min(_number(digits), 128) :]  # no name has more labels
    return ".".join(parts)


def _number(digits: str) -> int:
    """Reads a number of parts (RFC 7208 section 7.3), which is not 0. Raises ValueError."""
    number = int(digits.lstrip("0")[:4] or "0")
    if not number:
        raise ValueError("a macro that keeps no part")
    return number


def _shortened(name: str) -> str:
    """Drops labels from the left until the rest fits (RFC 7208 section 7.3)."""
    if len(name) <= MAX_NAME:
        return name
    dot = name.find(".", len(name) - MAX_NAME - 1)
    return name[dot + 1 :] if dot >= 0 else name.rpartition(".")[2]
