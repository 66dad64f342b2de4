"""Requests as events that the server's side of an HTTP/1.1 connection gives (RFC 9112)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

Field = tuple[bytes, bytes]
"""A field's name in small letters, and its value without white space around it."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and its fields. `target` is the request target in origin form, or "*" for OPTIONS, as it was sent;
    an absolute target is taken apart into `host` and the rest (RFC 9112 section 3.2.2). `host` is the name that the client
    asks for, in small letters and without its port; "" where a request of HTTP/1.0 has none. `length` is the number of octets of
    the body: None for a chunked one, 0 for none.
    """

    method: str
    target: bytes
    host: str
    version: str
    fields: Sequence[Field]
    length: int | None
    expects_continue: bool

    def field(self, name: bytes) -> bytes | None:
        """The first field of this name (in small letters)."""
        return next((value for field, value in self.fields if field == name), None)


@dataclass(frozen=True, slots=True)
class BodyPiece:
    """Octets of the body, however they came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """The end of a request, also of one without a body."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A request that cannot be read on; `status` says why. The connection ends with its answer."""

    status: HTTPStatus


Event = RequestHead | BodyPiece | RequestEnd | Malformed
