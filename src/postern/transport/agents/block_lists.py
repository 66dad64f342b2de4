"""DNS block lists (RFC 5782): makes the question about an address, and reads the answer.

The look-ups go out on the row dnsbl; this module asks nothing itself.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from postern.protocols.authentication.questions import Answer, Found, Kind, Question

MIN_TTL = 60.0
MAX_TTL = 3600.0
"""Bounds of how long a verdict about an address is remembered, in seconds, whatever its record says."""

_LISTINGS = ipaddress.IPv4Network("127.0.0.0/8")
# Spamhaus and others: "you may not ask", never a listing.
_ERRORS = ipaddress.IPv4Network("127.255.255.0/24")
_ZONE = re.compile(r"(?=.{1,190}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_-]+)+\Z")


@dataclass(frozen=True, slots=True)
class Provider:
    """One block list. `answers` and `bits` are 32-bit numbers; if both are empty, any listing counts."""

    zone: str
    answers: frozenset[int] = frozenset()
    bits: int = 0


def checked_provider(text: str) -> str:
    """Returns a provider's text if it can be read. Raises ValueError."""
    parse_provider(text)
    return text.strip().lower()


def parse_provider(text: str) -> Provider:
    """ "zen.example", "zen.example=127.0.0.2/127.0.0.4", "zen.example=&0.0.0.6". Raises ValueError."""
    zone, equals, answers = text.strip().lower().partition("=")
    zone = zone.rstrip(".")
    if not _ZONE.match(zone):
        raise ValueError(f"'{zone}' is no zone of a DNS block list")
    if not equals:
        return Provider(zone)
    try:
        if answers.startswith("&"):
            return Provider(zone, bits=int(ipaddress.IPv4Address(answers[1:])))
        numbers = frozenset(int(ipaddress.IPv4Address(word.strip())) for word in answers.split("/"))
    except ValueError:
        raise ValueError(f"'{answers}' are no answers; write 127.0.0.2/127.0.0.4 or &0.0.0.4") from None
    return Provider(zone, numbers)


def question(provider: Provider, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Question:
    """The question whether a list has an address (RFC 5782 sections 2.1 and 2.4)."""
    reverse = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return Question(f"{reverse}.{provider.zone}", Kind.A)


def must_not_be_listed(provider: Provider) -> Question:
    """The question about 127.0.0.1: a list that has it lists the whole world, as dead ones do, and is not believed (RFC 5782
    section 5)."""
    return question(provider, ipaddress.IPv4Address("127.0.0.1"))


def is_listed(provider: Provider, answer: Answer) -> bool:
    if answer.outcome is not Found.YES:
        return False
    for record in answer.records:
        try:
            address = ipaddress.IPv4Address(record)
        except ValueError:
            continue
        if address not in _LISTINGS or address in _ERRORS:
            continue
        number = int(address)
        if provider.bits:
            if number & provider.bits & 0x00FFFFFF:
                return True
        elif not provider.answers or number in provider.answers:
            return True
    return False


def remembered_for(answer: Answer) -> float:
    """Seconds that the verdict is remembered for."""
    return min(max(answer.ttl, MIN_TTL), MAX_TTL)
