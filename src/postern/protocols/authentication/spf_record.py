"""Reads the terms of SPF records (RFC 7208 sections 4.6, 5, 6 and 12) and Sender ID's (RFC 4406 section 3.1).

None means "permerror". `spf` evaluates the terms.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

MAX_RECORD = 16_384
MAX_TERMS = 512

# RFC 7208 section 7.2: c, r and t are for explanations alone; no number of parts is 0.
_EXPAND = r"%\{[SLODIPHVslodiphv](?:0*[1-9][0-9]*)?[Rr]?[.\-+,/_=]*\}"
_DOMAIN_STRING = re.compile(rf"(?:{_EXPAND}|%%|%_|%-|[!-$&-~])*+")
_MACRO_STRING = re.compile(r"(?:%\{[A-Za-z][0-9]*[Rr]?[.\-+,/_=]*\}|%%|%_|%-|[!-$&-~])*+")
_EXPAND_AT_END = re.compile(_EXPAND + r"\Z")
# RFC 7208 section 7.1: a top label has a letter or a hyphen inside.
_TOP_LABEL = re.compile(r"(?!-)(?=[0-9]*+[A-Za-z-])[A-Za-z0-9-]++(?<!-)\Z")
_LENGTH = r"(?:0|[1-9][0-9]{0,2})"
_WHOLE_LENGTH = re.compile(_LENGTH)
_LONGEST_LENGTHS = len("/128//128")
_DUAL_LENGTH = re.compile(rf"(?P<rest>.{{0,9}}?)(?:/(?P<four>{_LENGTH}))?(?://(?P<six>{_LENGTH}))?", re.DOTALL)
_MODIFIER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.-]*)=(?P<value>.*)", re.DOTALL)
_MECHANISM = re.compile(r"(?P<qualifier>[+?~-]?)(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)(?P<value>[:/].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Directive:
    """A mechanism. `qualifier` is one of "+-~?"; `domain` is a domain-spec ("" where none was given); `network` is ip4's and
    ip6's."""

    qualifier: str
    mechanism: str
    domain: str = ""
    four: int = 32
    six: int = 128
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class SpfRecord:
    directives: tuple[Directive, ...]
    redirect: str = ""
    explanation: str = ""


def is_spf1(text: str) -> bool:
    """Whether a text is an SPF record (RFC 7208 section 4.5): the version stands before a space or the end."""
    return text[:6].lower() == "v=spf1" and text[6:7] in ("", " ")


def is_spf2_pra(text: str) -> bool:
    """Whether a text is a Sender ID record for "pra" (RFC 4406 section 3.1): "spf2.0/" and scopes, among them "pra"."""
    version, _, _ = text.lower().partition(" ")
    return version.startswith("spf2.0/") and "pra" in version[7:].split(",")


def parse_record(text: str) -> SpfRecord | None:
    """Reads the terms behind the version. None: there is a syntax error, which is permerror (RFC 7208 section 4.6).

    Bound: linear; at most 16,384 characters and 512 terms.
    """
    if len(text) > MAX_RECORD:
        return None
    terms = [term for term in text.split(" ")[1:] if term]
    if len(terms) > MAX_TERMS:
        return None
    directives: list[Directive] = []
    modifiers: dict[str, str] = {}
    for term in terms:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is not None:
            name, value = modifier["name"].lower(), modifier["value"]
            known = name in ("redirect", "exp")
            if (known and (name in modifiers or not is_domain_spec(value))) or not _MACRO_STRING.fullmatch(value):
                return None
            if known:
                modifiers[name] = value
            continue
        directive = _directive(term)
        if directive is None:
            return None
        directives.append(directive)
    return SpfRecord(tuple(directives), modifiers.get("redirect", ""), modifiers.get("exp", ""))


def is_domain_spec(text: str) -> bool:
    """Whether a text is a domain-spec (RFC 7208 section 7.1): a macro-string that ends in a macro or in a top label."""
    if _DOMAIN_STRING.fullmatch(text) is None:
        return False
    if _EXPAND_AT_END.search(text):
        return True
    head, dot, top = text.removesuffix(".").rpartition(".")
    return bool(dot and head) and _TOP_LABEL.match(top) is not None


def _directive(term: str) -> Directive | None:
    match = _MECHANISM.fullmatch(term)
    if match is None:
        return None
    qualifier, name, value = match["qualifier"] or "+", match["name"].lower(), match["value"] or ""
    match name:
        case "all":
            return None if value else Directive(qualifier, name)
        case "include" | "exists":
            domain = value[1:]
            return Directive(qualifier, name, domain) if value[:1] == ":" and is_domain_spec(domain) else None
        case "ptr":
            domain = value[1:]
            if value and not (value[0] == ":" and is_domain_spec(domain)):
                return None
            return Directive(qualifier, name, domain)
        case "a" | "mx":
            return _with_lengths(qualifier, name, value)
        case "ip4" | "ip6":
            return _network(qualifier, name, value)
    return None


def _with_lengths(qualifier: str, name: str, value: str) -> Directive | None:
    before = value[:-_LONGEST_LENGTHS]
    match = _DUAL_LENGTH.fullmatch(value, len(before))
    assert match is not None
    rest, four, six = before + match["rest"], int(match["four"] or 32), int(match["six"] or 128)
    if four > 32 or six > 128:
        return None
    if rest and not (rest[0] == ":" and is_domain_spec(rest[1:])):
        return None
    return Directive(qualifier, name, rest[1:], four, six)


def _network(qualifier: str, name: str, value: str) -> Directive | None:
    address, slash, length = value[1:].partition("/")
    if value[:1] != ":" or (slash and _WHOLE_LENGTH.fullmatch(length) is None):
        return None
    try:
        if name == "ip4":
            four = ipaddress.IPv4Network((address, int(length or 32)), strict=False)
            return Directive(qualifier, name, network=four)
        if "%" in address:
            return None
        six = ipaddress.IPv6Network((address, int(length or 128)), strict=False)
    except ValueError:
        return None
    return Directive(qualifier, name, network=six)
