"""DMARC (RFC 7489): the record of the domain that a reader sees in From, and whether SPF or DKIM speak for that domain.

It asks for one or two TXT records. The caller has the public suffix list, and looks up in it which part of a name is the
organization's domain. Reports to domain owners (sections 7.2 and 7.3) are not sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from postern.model.domains import a_labels
from postern.model.words import counted
from postern.protocols.authentication.questions import Answer, Asking, Found, Kind, Machine, Question
from postern.protocols.authentication.spf import is_name
from postern.protocols.authentication.tags import parse_tags

MAX_DOMAINS = 4
"""Domains in From that are looked at; a message that names more is treated as malformed."""

OrganizationalDomain = Callable[[str], str]
"""The registered domain above a name; the name itself where the list knows none."""


class DmarcPolicy(StrEnum):
    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


# RFC 7489 section 6.4 allows blanks around the equals sign and before the semicolon.
_VERSION = re.compile(r"\s*+v\s*+=\s*+DMARC1\s*+(?:;|\Z)")
# RFC 5321 section 2.3.5, with the underscore that names have all the same; a domain literal is no domain.
_HOST = re.compile(r"[A-Za-z0-9_.\-]++")
_STRICTNESS = {DmarcPolicy.NONE: 0, DmarcPolicy.QUARANTINE: 1, DmarcPolicy.REJECT: 2}


class DmarcResult(StrEnum):
    """Results of DMARC (RFC 7489 section 11.2)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 (a result's name)
    FAIL = "fail"
    TEMP_ERROR = "temperror"
    PERM_ERROR = "permerror"


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    policy: DmarcPolicy
    subdomains: DmarcPolicy
    strict_dkim: bool = False
    strict_spf: bool = False
    percent: int = 100


@dataclass(frozen=True, slots=True)
class DmarcVerdict:
    """The verdict on a message. `policy` is what the domain asks for if it fails, after sampling (pct). `unreadable`: From itself
    names no domain that could be asked."""

    result: DmarcResult
    domain: str = ""
    policy: DmarcPolicy = DmarcPolicy.NONE
    why: str = ""
    unreadable: bool = False


def parse_dmarc(text: str) -> DmarcRecord | None:
    """Reads a record (RFC 7489 sections 6.3 and 6.4). None: it is no DMARC record that could be followed.

    Bound: linear; at most 65,536 characters.
    """
    # RFC 7489 section 6.4 has tags separated by semicolons with blanks around them; publishers write some twice.
    tags = parse_tags(";".join([part for part in text.split(";") if part.strip()]))
    if tags is None or next(iter(tags.items()), None) != ("v", "DMARC1"):
        return None
    policies = {policy.value: policy for policy in DmarcPolicy}
    policy = policies.get(tags.get("p", "").lower())
    subdomains = policies.get(tags.get("sp", "").lower(), policy)
    if policy is None or subdomains is None or ("sp" in tags and tags["sp"].lower() not in policies):
        # RFC 7489 section 6.6.3: with somebody to report to, a broken policy reads as none.
        if "rua" not in tags:
            return None
        policy = subdomains = DmarcPolicy.NONE
    percent = tags.get("pct", "100")
    return DmarcRecord(
        policy,
        subdomains,
        tags.get("adkim", "r").lower() == "s",
        tags.get("aspf", "r").lower() == "s",
        min(int(percent), 100) if percent.isdecimal() and percent.isascii() and len(percent) <= 3 else 100,
    )


def dmarc(
    authors: Sequence[str],
    spf_domain: str,
    dkim_domains: Iterable[str],
    organizational: OrganizationalDomain,
    sample: float,
    unsure: Iterable[str] = (),
) -> Machine[DmarcVerdict]:
    """Evaluates DMARC. `authors` are the domains of From's addresses; `spf_domain` is the one that SPF passed for ("" for none),
    `dkim_domains` the d= of good signatures, `sample` a number from 0 to 1 drawn for this message (pct). `unsure` are domains
    about which SPF or DKIM had no answer from DNS: if one of them is aligned with From, a failure is not certain. Where From
    names several domains, the strictest verdict counts (RFC 7489 section 6.6.1).

    Bound: at most 4 domains, and two questions for each.
    """
    known = frozenset(map(a_labels, dkim_domains))
    return Machine(_evaluated(tuple(authors), a_labels(spf_domain), known, organizational, sample, frozenset(unsure)))


def _evaluated(
    authors: tuple[str, ...],
    spf_domain: str,
    dkim_domains: frozenset[str],
    organizational: OrganizationalDomain,
    sample: float,
    unsure: frozenset[str],
) -> Asking[DmarcVerdict]:
    domains = tuple(dict.fromkeys(a_labels(domain).rstrip(".") for domain in authors))
    if not domains:
        return DmarcVerdict(DmarcResult.PERM_ERROR, why="From names no domain", unreadable=True)
    if len(domains) > MAX_DOMAINS:
        return DmarcVerdict(DmarcResult.PERM_ERROR, why="From names too many domains", unreadable=True)
    verdicts = []
    for domain in domains:
        verdicts.append((yield from _one(domain, spf_domain, dkim_domains, organizational, sample, unsure)))
    return max(verdicts, key=_severity)


def _severity(verdict: DmarcVerdict) -> tuple[int, int]:
    order = (DmarcResult.PASS, DmarcResult.NONE, DmarcResult.PERM_ERROR, DmarcResult.TEMP_ERROR, DmarcResult.FAIL)
    return order.index(verdict.result), _STRICTNESS[verdict.policy]


def _one(
    domain: str,
    spf_domain: str,
    dkim_domains: frozenset[str],
    organizational: OrganizationalDomain,
    sample: float,
    unsure: frozenset[str],
) -> Asking[DmarcVerdict]:
    if not is_name(domain) or not _HOST.fullmatch(domain):
        return DmarcVerdict(DmarcResult.PERM_ERROR, why="From names what is no domain", unreadable=True)
    organization = organizational(domain)
    answer: Answer = yield Question(f"_dmarc.{domain}", Kind.TXT)
    records = _records(answer)
    own = True
    if answer.outcome is not Found.UNKNOWN and not records and organization != domain:
        own = False
        answer = yield Question(f"_dmarc.{organization}", Kind.TXT)
        records = _records(answer)
    if answer.outcome is Found.UNKNOWN:
        return DmarcVerdict(DmarcResult.TEMP_ERROR, domain, why="no answer from DNS about the policy")
    if len(records) != 1:
        # RFC 7489 section 6.6.3: none, or several that contradict each other.
        published = counted(len(records), "record") if records else "no record"
        return DmarcVerdict(DmarcResult.NONE, domain, why=f"{domain} publishes {published}")
    record = parse_dmarc(records[0])
    if record is None:
        return DmarcVerdict(DmarcResult.PERM_ERROR, domain, why="the record is malformed")

    def aligned(other: str, strict: bool) -> bool:
        """Whether a domain is aligned with From's (RFC 7489 section 3.1)."""
        return bool(other) and (other == domain or (not strict and organizational(other) == organization))

    if aligned(spf_domain, record.strict_spf):
        return DmarcVerdict(DmarcResult.PASS, domain, why="SPF")
    if any(aligned(other, record.strict_dkim) for other in dkim_domains):
        return DmarcVerdict(DmarcResult.PASS, domain, why="DKIM")
    policy = record.policy if own else record.subdomains
    if any(aligned(other, False) for other in unsure):
        return DmarcVerdict(DmarcResult.TEMP_ERROR, domain, policy, "no answer from DNS about SPF or DKIM")
    if policy is not DmarcPolicy.NONE and sample * 100 >= record.percent:
        # RFC 7489 section 6.6.4: what is not sampled meets the next weaker policy.
        policy = DmarcPolicy.QUARANTINE if policy is DmarcPolicy.REJECT else DmarcPolicy.NONE
    return DmarcVerdict(DmarcResult.FAIL, domain, policy, "neither SPF nor DKIM speaks for it")


def _records(answer: Answer) -> list[str]:
    return [text for text in answer.records if _VERSION.match(text)]
