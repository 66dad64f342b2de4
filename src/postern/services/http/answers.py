"""Answers that the door itself gives, in plain text, and the fields that every answer has."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from postern.protocols.http.dates import http_date
from postern.protocols.http.events import Field

PLAIN = b"text/plain; charset=utf-8"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""The octets that a connection beyond its door's bounds gets."""
_IN_CLEAR: tuple[Field, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
)
"""Without a referrer a browser would name the origin "null" where our own pages send a form (Fetch standard, 3.2)."""
_IN_TLS: tuple[Field, ...] = ((b"strict-transport-security", b"max-age=31536000"), *_IN_CLEAR)
"""RFC 6797 section 7.2: the policy is for answers inside TLS alone. A browser ignores it where it does not trust the
certificate."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal, or what else needs no application. `ends` has the connection end with it. `text` says more than the status."""

    status: HTTPStatus
    fields: Sequence[Field] = ()
    ends: bool = False
    text: str = ""

    @property
    def body(self) -> bytes:
        return b"" if self.status is HTTPStatus.NO_CONTENT else (self.text or self.status.phrase).encode() + b"\n"


def last_words(status: HTTPStatus, is_tls: bool) -> bytes:
    """Returns a whole answer after which the connection ends, for octets that are no request."""
    answer = Answer(status)
    own = [(b"content-type", PLAIN), (b"content-length", b"%d" % len(answer.body)), (b"connection", b"close")]
    lines = [b"%b: %b" % field for field in with_standing(own, is_tls)]
    return b"\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}".encode(), *lines, b"", answer.body])


def allow(methods: Iterable[str]) -> Field:
    """Returns the field that lists what methods there are (RFC 9110 section 10.2.1)."""
    return b"allow", ", ".join(sorted(methods)).encode()


def with_standing(fields: Sequence[Field], is_tls: bool) -> list[Field]:
    """Adds the date, and what protects browsers; an application's own field of the same name stays."""
    named = {name for name, _ in fields}
    standing = [field for field in (_IN_TLS if is_tls else _IN_CLEAR) if field[0] not in named]
    return [*fields, *standing] if b"date" in named else [*fields, (b"date", http_date(int(time.time()))), *standing]
