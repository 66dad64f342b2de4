"""SPF's check_host() (RFC 7208 section 4) as a machine, which asks for DNS records and gets the answers.

It reads the client's address, the HELO name and the sender, within the bounds of section 4.6.4. The agents decide what follows
from a result.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from postern.protocols.authentication.questions import Answer, Asking, Found, Kind, Machine, Question
from postern.protocols.authentication.spf_macros import Facts, expanded
from postern.protocols.authentication.spf_record import Directive, SpfRecord, is_spf1, parse_record

MAX_LOOK_UPS = 10
MAX_VOID = 2
MAX_NAMES = 10
"""MX and PTR names whose addresses are looked up."""
MAX_EXPLANATION = 400

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class SpfResult(StrEnum):
    """Results of SPF (RFC 7208 section 2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 (a result's name)
    FAIL = "fail"
    SOFT_FAIL = "softfail"
    TEMP_ERROR = "temperror"
    PERM_ERROR = "permerror"


@dataclass(frozen=True, slots=True)
class SpfVerdict:
    """The verdict. `why` names the mechanism that matched, or what went wrong. `explanation` is the text that the domain has for
    failures (printable ASCII; "" if it has none or was not asked)."""

    result: SpfResult
    why: str
    explanation: str = ""


_QUALIFIERS = {"+": SpfResult.PASS, "-": SpfResult.FAIL, "~": SpfResult.SOFT_FAIL, "?": SpfResult.NEUTRAL}
_PRINTABLE = re.compile(r"[ -~]*")


class _Error(Exception):
    def __init__(self, result: SpfResult, why: str) -> None:
        super().__init__(why)
        self.verdict = SpfVerdict(result, why)


@dataclass(slots=True)
class _Check:
    """The state that all records of one evaluation share."""

    facts: Facts
    is_ours: Callable[[str], bool]
    look_ups: int = 0
    void: int = 0
    validated: tuple[str, ...] | None = field(default=None)

    def ask(self, name: str, kind: Kind, counts_void: bool = True) -> Asking[Answer]:
        if not is_name(name):
            # RFC 7208 section 4.3: what is no name cannot be looked up, and is treated as if it were not there.
            answer = Answer(Found.NO_NAME)
        else:
            answer = yield Question(name, kind)
        if answer.outcome is Found.UNKNOWN:
            raise _Error(SpfResult.TEMP_ERROR, f"no answer from DNS about {shown(name)}")
        if counts_void and not answer.records:
            self.void += 1
            if self.void > MAX_VOID:
                raise _Error(SpfResult.PERM_ERROR, f"more than {MAX_VOID} look-ups without an answer")
        return answer

    def count(self) -> None:
        self.look_ups += 1
        if self.look_ups > MAX_LOOK_UPS:
            raise _Error(SpfResult.PERM_ERROR, f"more than {MAX_LOOK_UPS} look-ups")

    def addresses(self, name: str, counts_void: bool = True) -> Asking[tuple[IpAddress, ...]]:
        kind = Kind.A if self.facts.address.version == 4 else Kind.AAAA
        answer = yield from self.ask(name, kind, counts_void)
        return tuple(address for text in answer.records if (address := _address(text)) is not None)

    def names(self) -> Asking[tuple[str, ...]]:
        """The client's own names, each of which leads back to it (RFC 7208 section 5.5). If DNS fails there is none."""
        if self.validated is None:
            validated = []
            try:
                answer = yield from self.ask(self.facts.address.reverse_pointer, Kind.PTR)
                for name in answer.records[:MAX_NAMES]:
                    try:
                        if self.facts.address in (yield from self.addresses(name, counts_void=False)):
                            validated.append(name)
                    except _Error:
                        continue
            except _Error as error:
                if error.verdict.result is SpfResult.PERM_ERROR:
                    raise
            self.validated = tuple(validated)
        return self.validated

    def expand(self, text: str, domain: str) -> Asking[str]:
        names: tuple[str, ...] = ()
        if "%{p" in text.lower():
            names = yield from self.names()
        try:
            return expanded(text, self.facts, domain, names)
        except ValueError as error:
            raise _Error(SpfResult.PERM_ERROR, f"a macro of {domain} is malformed") from error


def spf(address: IpAddress, helo: str, sender: str, domain: str = "", explain: bool = False) -> Machine[SpfVerdict]:
    """Evaluates MAIL FROM's domain, or HELO's where `sender` is "" (RFC 7208 section 2.4). `domain`, if any, takes their place.

    Bound: at most 10 look-ups that count, 10 names of each (RFC 7208 section 4.6.4), 512 terms of a record.
    """
    mailbox = sender or f"postmaster@{helo}"
    domain = domain or mailbox.rpartition("@")[2]
    local = mailbox.rpartition("@")[0] or "postmaster"
    if address.version == 6 and (mapped := address.ipv4_mapped) is not None:
        address = mapped
    facts = Facts(address, helo, f"{local}@{domain}")
    return Machine(_evaluated(_Check(facts, is_spf1), domain, explain))


def sender_id(
    address: IpAddress, helo: str, purported: str, is_ours: Callable[[str], bool] = is_spf1
) -> Machine[SpfVerdict]:
    """Evaluates Sender ID's purported responsible address, on the records that `is_ours` takes (RFC 4406 section 4)."""
    domain = purported.rpartition("@")[2]
    return Machine(_evaluated(_Check(Facts(address, helo, purported), is_ours), domain, False))


def _evaluated(check: _Check, domain: str, explain: bool) -> Asking[SpfVerdict]:
    try:
        return (yield from _check_host(check, domain, explain))
    except _Error as error:
        return error.verdict


def _check_host(check: _Check, domain: str, explain: bool) -> Asking[SpfVerdict]:
    """Evaluates one domain's record (RFC 7208 section 4.3 and on). Raises _Error, which ends the whole evaluation."""
    if not is_name(domain) or "." not in domain.strip("."):
        return SpfVerdict(SpfResult.NONE, f"{shown(domain)} is no domain")
    answer = yield from check.ask(domain, Kind.TXT, counts_void=False)
    records = [text for text in answer.records if check.is_ours(text)]
    if not records:
        return SpfVerdict(SpfResult.NONE, f"{domain} publishes no record")
    if len(records) > 1:
        raise _Error(SpfResult.PERM_ERROR, f"{domain} publishes {len(records)} records")
    record = parse_record(records[0])
    if record is None:
        raise _Error(SpfResult.PERM_ERROR, f"the record of {domain} is malformed")
    for directive in record.directives:
        if (yield from _matches(check, directive, domain)):
            result = _QUALIFIERS[directive.qualifier]
            explanation = ""
            if explain and result is SpfResult.FAIL:
                explanation = yield from _explained(check, record, domain)
            return SpfVerdict(result, f"{directive.mechanism} of {domain}", explanation)
    if record.redirect:
        check.count()
        target = yield from check.expand(record.redirect, domain)
        verdict = yield from _check_host(check, target, explain)
        if verdict.result is SpfResult.NONE:
            raise _Error(SpfResult.PERM_ERROR, f"{domain} redirects to {shown(target)}, which has no record")
        return verdict
    return SpfVerdict(SpfResult.NEUTRAL, f"nothing of {domain} matches")


def _matches(check: _Check, directive: Directive, domain: str) -> Asking[bool]:
    """Whether a mechanism matches the client (RFC 7208 section 5)."""
    if directive.mechanism == "all":
        return True
    if directive.network is not None:
        return check.facts.address in directive.network
    check.count()
    target = domain
    if directive.domain:
        target = yield from check.expand(directive.domain, domain)
    match directive.mechanism:
        case "include":
            verdict = yield from _check_host(check, target, False)
            if verdict.result is SpfResult.NONE:
                raise _Error(SpfResult.PERM_ERROR, f"{domain} includes {shown(target)}, which has no record")
            return verdict.result is SpfResult.PASS
        case "a":
            return _within(check, directive, (yield from check.addresses(target)))
        case "mx":
            return (yield from _matches_mx(check, directive, target))
        case "ptr":
            names = yield from check.names()
            return any(_is_below(name, target) for name in names)
        case _:
            answer = yield from check.ask(target, Kind.A)
            return bool(answer.records)


def _matches_mx(check: _Check, directive: Directive, target: str) -> Asking[bool]:
    answer = yield from check.ask(target, Kind.MX)
    if len(answer.records) > MAX_NAMES:
        raise _Error(SpfResult.PERM_ERROR, f"{shown(target)} has more than {MAX_NAMES} mail hosts")
    for host in answer.records:
        if _within(check, directive, (yield from check.addresses(host))):
            return True
    return False


def _within(check: _Check, directive: Directive, addresses: tuple[IpAddress, ...]) -> bool:
    client = check.facts.address
    length = directive.four if client.version == 4 else directive.six
    return any(
        client.version == address.version and client in ipaddress.ip_network((address, length), strict=False)
        for address in addresses
    )


def _explained(check: _Check, record: SpfRecord, domain: str) -> Asking[str]:
    """The domain's explanation (RFC 7208 section 6.2); "" if anything goes wrong, and the result stays."""
    if not record.explanation:
        return ""
    try:
        name = yield from check.expand(record.explanation, domain)
        answer = yield from check.ask(name, Kind.TXT, counts_void=False)
        if len(answer.records) != 1 or _PRINTABLE.fullmatch(answer.records[0]) is None:
            return ""
        text = answer.records[0]
        names: tuple[str, ...] = ()
        if "%{p" in text.lower():
            names = yield from check.names()
        explanation = expanded(text, check.facts, domain, names, explaining=True)
    except (_Error, ValueError):
        return ""
    return explanation[:MAX_EXPLANATION] if _PRINTABLE.fullmatch(explanation) else ""


def is_name(name: str) -> bool:
    """Whether DNS could be asked for it (RFC 1035 section 2.3.4)."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= 253 and name.isascii() and name.isprintable() and all(0 < len(label) <= 63 for label in labels)


def shown(name: str) -> str:
    """A name as a log or header may hold it."""
    return "".join(c if " " < c <= "~" else "?" for c in name[:253]) or "''"


def _is_below(name: str, domain: str) -> bool:
    name, domain = name.lower().rstrip("."), domain.lower().rstrip(".")
    return name == domain or name.endswith("." + domain)


def _address(text: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
