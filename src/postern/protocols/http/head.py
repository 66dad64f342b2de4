"""The head of a request: its request line (RFC 9112 section 3), and its fields (section 5), which httptools (llhttp) splits.

Nothing is mended. What two readers of HTTP could take for different things is refused: folded lines, a bare CR or LF, white space
before a colon, several lengths, a length beside a transfer coding. The request line is read here, since llhttp knows a fixed list
of methods; RPC over HTTP and WebDAV have more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httptools

from postern.protocols.http.events import Field, RequestHead

MAX_HEAD = 131_072
"""Octets of a request line and its fields. A Kerberos ticket alone may have 98,304 (`trust.framing.http`)."""
MAX_FIELDS = 128
MAX_TARGET = 8192
"""Octets of a request target; RFC 9112 section 3 recommends 8,000 for the whole line at least."""
MAX_LINE = MAX_TARGET + 64
"""Octets of a request line. Methods have 32 at most, the version has eight."""

_BEGIN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}+(?: |\Z)")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}+) ([\x21\x22\x24-\x7e]++) HTTP/(\d\.\d)\r\n")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*+)(.*+)")
_AUTHORITY = re.compile(rb"([0-9A-Za-z._-]{1,255}+|\[[0-9A-Fa-f:.]{2,45}+\])(?::\d{0,5}+)?+")
_START = b"POST / HTTP/1.1\r\n"
"""A request line for llhttp in place of the true one, which is read already. A POST may have a body, and has no other meaning."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request line. `host` is that of an absolute target, else None; `target` is in origin form, or "*"."""

    method: str
    target: bytes
    host: str | None
    version: str


def may_begin_line(octets: bytes | bytearray) -> bool:
    """Whether these octets may be the beginning of a request line. A client that speaks TLS, or nothing that is known, gets its
    answer at once by this.

    Bound: constant; 33 octets are looked at.
    """
    return not octets or _BEGIN.match(octets) is not None


def read_line(octets: bytes) -> RequestLine | HTTPStatus:
    """Reads a request line with its line end. Returns the status of the refusal if it is none.

    Bound: linear; at most MAX_LINE octets.
    """
    match = _LINE.fullmatch(octets) if len(octets) <= MAX_LINE else None
    if match is None:
        return HTTPStatus.BAD_REQUEST if len(octets) <= MAX_LINE else HTTPStatus.REQUEST_URI_TOO_LONG
    method, target, version = match[1].decode("ascii"), match[2], match[3].decode("ascii")
    if version not in ("1.1", "1.0"):
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    if len(target) > MAX_TARGET:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if target.startswith(b"/"):
        return RequestLine(method, target, None, version)
    if method == "CONNECT":  # RFC 9110 section 9.3.6: it would make a tunnel, and nothing here is a proxy
        return HTTPStatus.NOT_IMPLEMENTED
    if target == b"*":
        return RequestLine(method, target, None, version) if method == "OPTIONS" else HTTPStatus.BAD_REQUEST
    absolute = _ABSOLUTE.fullmatch(target)
    host = None if absolute is None else host_of(absolute[1])
    if absolute is None or host is None:
        return HTTPStatus.BAD_REQUEST
    rest: bytes = absolute[2]
    if not rest.startswith(b"/"):  # RFC 9112 section 3.2.4: OPTIONS without a path is for the whole server
        rest = b"*" if method == "OPTIONS" and not rest else b"/" + rest
    return RequestLine(method, rest, host, version)


def host_of(authority: bytes) -> str | None:
    """Reads the name of an authority (RFC 3986 section 3.2) in small letters, without its port and a last dot. Returns None for
    what is no name of a host: user information, percent encoding and letters beyond ASCII have no place in ours.

    Bound: linear; at most 255 octets of a name.
    """
    match = _AUTHORITY.fullmatch(authority)
    name = "" if match is None else match[1].decode("ascii").lower().removesuffix(".")
    return name or None


class FieldsReader:
    """Splits the fields of heads, one head after the other.

    Bound: linear; at most MAX_FIELDS fields.
    """

    def __init__(self) -> None:
        self._fields: list[Field] = []
        self._is_whole = False
        self._parser = httptools.HttpRequestParser(self)

    def read(self, octets: bytes) -> list[Field] | HTTPStatus:
        """Reads all fields of a head and the empty line behind them. Returns the status of the refusal if they are none."""
        self._fields, self._is_whole = [], False
        try:
            self._parser.feed_data(_START + octets)
        except httptools.HttpParserUpgrade:
            pass  # RFC 9110 section 7.8: an Upgrade may be ignored; what follows is the next request
        except httptools.HttpParserError:
            self._parser = httptools.HttpRequestParser(self)
            return HTTPStatus.BAD_REQUEST
        if not self._is_whole:
            self._parser = httptools.HttpRequestParser(self)  # this one waits for a body, which is read elsewhere
        if len(self._fields) > MAX_FIELDS:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return self._fields

    # httptools calls these.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value.rstrip(b" \t")))

    def on_message_complete(self) -> None:
        self._is_whole = True


def head_of(line: RequestLine, fields: Sequence[Field]) -> RequestHead | HTTPStatus:
    """Puts a request line and its fields together. Returns the status of the refusal if they do not go together.

    Bound: linear in the fields.
    """
    host: str | None = None
    length: int | None = 0
    expects = False
    is_old = line.version == "1.0"
    for name, value in fields:
        if name == b"host":
            if host is not None or (host := host_of(value)) is None:  # RFC 9112 section 3.2
                return HTTPStatus.BAD_REQUEST
        elif name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                return HTTPStatus.BAD_REQUEST
            length = int(value)
        elif name == b"transfer-encoding":
            if is_old:  # RFC 9112 section 6.1: its framing is faulty
                return HTTPStatus.BAD_REQUEST
            if value.lower() != b"chunked":  # llhttp has seen that chunked is the last one
                return HTTPStatus.NOT_IMPLEMENTED
            length = None
        elif name == b"expect" and not is_old:  # RFC 9110 section 10.1.1
            if value.lower() != b"100-continue":
                return HTTPStatus.EXPECTATION_FAILED
            expects = True
    if host is None and not is_old:
        return HTTPStatus.BAD_REQUEST
    asked = host or "" if line.host is None else line.host  # RFC 9112 section 3.2.2: that of the target counts
    return RequestHead(line.method, line.target, asked, line.version, fields, length, expects and length != 0)


def persists(head: RequestHead) -> bool:
    """Whether the client lets the connection persist behind this request (RFC 9112 section 9.3).

    Bound: linear in the fields.
    """
    options = [
        option.strip().lower() for name, value in head.fields if name == b"connection" for option in value.split(b",")
    ]
    return b"close" not in options and (head.version != "1.0" or b"keep-alive" in options)
