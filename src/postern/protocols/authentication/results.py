"""Authentication-Results (RFC 8601): written for our readers, and read so far as to tell whose a field claims to be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from postern.protocols.authentication.header import Field
from postern.protocols.mime.comments import without_comments

MAX_COMMENT = 200

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~/@:]+\Z")
_NOT_IN_COMMENT = re.compile(r"[^ -~]|[()\\]")
_MAX_READ = 4000
_QUOTED = re.compile(rb'"[^"]*+"?+')
_AGAINST = frozenset({("spf", "fail"), ("spf", "softfail")})
_AUTHSERV = re.compile(rb'\s*+(?:"((?:[^"\\]|\\.){0,500}+)"|([^\s;()"]{1,500}+))')


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method's: `properties` are ("smtp.mailfrom", value) and the like."""

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
    """Whether an Authentication-Results field bears one of these authserv-ids (lower case), or none that could be read:
    what two readers could understand in two ways is not believed to be a stranger's (RFC 8601 section 5).

    Bound: linear in the field; 4,000 octets of its value are read.
    """
    match = _AUTHSERV.match(without_comments(field.value[:_MAX_READ]))
    if match is None:
        return True
    written = (match[1] if match[1] is not None else match[2]).decode("utf-8", "replace").replace("\\", "")
    return written.lower().rstrip(".") in names


def read_results(field: Field) -> frozenset[tuple[str, str]]:
    """What such a field says: ("spf", "fail") and the like, of each method. Words in quotes and comments are a stranger's.

    Bound: linear in the field; 4,000 octets of its value are read.
    """
    plain = _QUOTED.sub(b"", without_comments(field.value[:_MAX_READ])).decode("utf-8", "replace").lower()
    found = (part.split(maxsplit=1)[0].partition("=") for part in plain.split(";")[1:] if part.strip())
    return frozenset((method, result) for method, equals, result in found if equals)


def is_forged(found: frozenset[tuple[str, str]]) -> bool:
    """Whether nothing vouches for the sender that the envelope names, and something speaks against it: whoever it names did
    not write this, and must not be answered. Where nobody looked, or no policy is published, it is not known."""
    if ("spf", "pass") in found or ("dmarc", "pass") in found:
        return False
    return ("dmarc", "fail") in found or (("dkim", "pass") not in found and bool(found & _AGAINST))


def _value(value: str) -> str:
    """RFC 8601 section 2.2: a token or a quoted string; nothing that could end the field."""
    clean = "".join(c if c.isprintable() and c not in '"\\' else "?" for c in value[:300])
    return clean if _TOKEN.match(clean) else f'"{clean}"'
