"""Authentication-Results (RFC 8601): writes the field for our readers, and reads it to tell which server it claims to be from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postern.model.domains import a_labels
from postern.protocols.authentication.header import Field, without
from postern.protocols.mime.comments import without_comments

MAX_COMMENT = 200

_NAMES = ("authentication-results", "x-original-authentication-results")

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~/@:]+\Z")
_NOT_IN_COMMENT = re.compile(r"[^ -~]|[()\\]")
_MAX_READ = 4000
_QUOTED = re.compile(rb'"[^"]*+"?+')
_AGAINST = frozenset({("spf", "fail"), ("spf", "softfail"), ("dmarc", "fail")})
_DOMAIN_OF = {"dkim": "header.d", "dmarc": "header.from"}
"""The property that names the domain for which a method passed (RFC 8601 section 2.7)."""
_AUTHSERV = re.compile(rb'\s*+(?:"((?:[^"\\]|\\.){0,500}+)"|([^\s;()"]{1,500}+))')


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The result of one method. `properties` are ("smtp.mailfrom", value) and the like."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()
    comment: str = ""

    def render(self) -> str:
        comment = f" ({_NOT_IN_COMMENT.sub('?', self.comment)[:MAX_COMMENT]})" if self.comment else ""
        properties = "".join(f" {name}={_value(value)}" for name, value in self.properties if value)
        return f"{self.method}={self.result}{comment}{properties}"


def authentication_results(authserv: str, results: Sequence[MethodResult]) -> bytes:
    """The field, folded, with its CRLF."""
    if not results:
        return f"Authentication-Results: {authserv}; none\r\n".encode()
    body = ";\r\n\t".join(result.render() for result in results)
    return f"Authentication-Results: {authserv};\r\n\t{body}\r\n".encode("utf-8", "replace")


def claims_to_be(field: Field, names: frozenset[str]) -> bool:
    """Whether an Authentication-Results field bears one of these authserv-ids (lower case), or none that could be read: an
    ambiguous field may be read as ours (RFC 8601 section 5).

    Bound: linear in the field; 4,000 octets of its value are read.
    """
    match = _AUTHSERV.match(without_comments(field.value[:_MAX_READ]))
    if match is None:
        return True
    written = (match[1] if match[1] is not None else match[2]).decode("utf-8", "replace").replace("\\", "")
    return written.lower().rstrip(".") in names


def speaks_as(field: Field, names: frozenset[str]) -> bool:
    """Whether the field is an Authentication-Results, or a moved one, that claims to be of one of these authserv-ids."""
    return field.name in _NAMES and claims_to_be(field, names)


def without_claims(header: bytes, *names: Iterable[str]) -> bytes:
    """The header section without Authentication-Results that claim to be of one of these authserv-ids (lower case). RFC 8601
    section 5: a border MTA must delete those that it finds in mail from outside.

    Bound: linear in the header; at most 2,000 fields.
    """
    if b"authentication-results" not in header.lower():
        return header  # every message passes here
    own = frozenset(name for some in names for name in some)
    return without(header, lambda field: speaks_as(field, own))[0]


def read_results(field: Field) -> tuple[MethodResult, ...]:
    """Reads such a field in lower case: each method with its result and properties. Words in quotes and comments come from
    strangers, and are left out.

    Bound: linear in the field; 4,000 octets of its value are read.
    """
    plain = _QUOTED.sub(b"", without_comments(field.value[:_MAX_READ])).decode("utf-8", "replace").lower()
    return tuple(filter(None, (_read(part.split()) for part in plain.split(";")[1:])))


def _read(terms: list[str]) -> MethodResult | None:
    if not terms:
        return None
    method, equals, result = terms[0].partition("=")
    properties = [word.partition("=") for word in terms[1:]]
    return MethodResult(method, result, tuple((name, value) for name, _, value in properties)) if equals else None


def vouching(results: Iterable[MethodResult], sender: str) -> bool | None:
    """Whether something vouches for the `sender` that the envelope names. False if nothing does and something speaks against it:
    the person that it names did not write this, and must not be answered. None if nobody checked, or no policy is published.

    A DKIM signature or a passed DMARC speaks for its own domain only: an attacker signs with one of his own.
    """
    domain = a_labels(sender.rpartition("@")[2])
    against = False
    for each in results:
        outcome = (each.method, each.result)
        named = dict(each.properties).get(_DOMAIN_OF.get(each.method, ""), "")
        if outcome == ("spf", "pass") or (each.result == "pass" and _is_aligned(named, domain)):
            return True
        against = against or outcome in _AGAINST
    return False if against else None


def _is_aligned(named: str, domain: str) -> bool:
    """Whether the domains are equal, or one lies below the other. RFC 7489 section 3.1 also aligns siblings, by a list of public
    suffixes that is not available here: mail of siblings is judged without the signature."""
    return bool(named) and (named == domain or named.endswith("." + domain) or domain.endswith("." + named))


def _value(value: str) -> str:
    """Writes a value as a token or a quoted string (RFC 8601 section 2.2), without anything that could end the field."""
    clean = "".join(c if c.isprintable() and c not in '"\\' else "?" for c in value[:300])
    return clean if _TOKEN.match(clean) else f'"{clean}"'
