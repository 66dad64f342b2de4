"""The server's side of an HTTP/1.1 connection, as bytes and events (RFC 9112). Requests are parsed by httptools (llhttp)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from postern.protocols.http.events import Event, Field


class ServerMachine:
    """The machine, which is pulled: `receive`, then `next_event` until it gives None. For each RequestHead the service calls
    `respond` once, `write` as often as it likes and `finish` once; then the next request may be taken.

    Bound: linear; a head has at most MAX_HEAD octets and MAX_FIELDS fields.
    """

    def receive(self, data: bytes) -> None:
        """Takes in octets, however they were cut."""
        raise NotImplementedError

    def next_event(self) -> Event | None:
        """The next event; None if it needs more octets. After Malformed there is none."""
        raise NotImplementedError

    @property
    def is_reading_head(self) -> bool:
        """Whether a request line has begun and its head is not whole: the service gives it a deadline."""
        raise NotImplementedError

    @property
    def ends(self) -> bool:
        """Whether the connection must end with the answer that is finished: the client asked for it, an answer has no other
        end, a request was not read to its end, or it was malformed."""
        raise NotImplementedError

    def proceed(self) -> None:
        """Sends 100 Continue where the client waits for it (RFC 9110 section 10.1.1), once, and not after `respond`."""
        raise NotImplementedError

    def respond(self, status: HTTPStatus | int, fields: Sequence[Field], ends: bool = False) -> None:
        """Begins the answer. Without a Content-Length among `fields` the body is chunked, or for HTTP/1.0 ends with the
        connection. The machine adds Transfer-Encoding, Connection and nothing else. `ends` asks for the end of the connection."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """A piece of the body; dropped where the answer has none (HEAD, 204, 304)."""
        raise NotImplementedError

    def finish(self) -> None:
        """Ends the answer. Raises ValueError for a body that is not as long as its Content-Length says."""
        raise NotImplementedError

    def outgoing(self) -> bytes:
        """The octets to be sent, once."""
        raise NotImplementedError
