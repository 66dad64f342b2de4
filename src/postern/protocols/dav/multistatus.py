"""Writes multistatus answers (RFC 4918 section 13) and errors (section 16) as text, a response after the other: objects of a tree
would cost ten times as much.

The markup of property values is made by the caller, in the prefixes of `names`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from string import ascii_letters, digits
from urllib.parse import quote

from postern.protocols import xml
from postern.protocols.dav.names import DECLARATIONS, element

BEGIN = f"{xml.DECLARATION}<D:multistatus{DECLARATIONS}>"
END = "</D:multistatus>"
_SAFE = "/!$'()*+,-.:;=@_~"
"""Characters that stand for themselves in an href (RFC 3986 section 3.3), without "&", which XML would have to escape."""
_PLAIN = f"{ascii_letters}{digits}{_SAFE}".encode()


def href_of(path: str) -> str:
    """Returns a path as an href: percent-encoded, and so without anything that XML escapes."""
    return path if _is_plain(path) else quote(path, _SAFE)


def hrefs_of(paths: Sequence[str]) -> Sequence[str]:
    """Returns paths as hrefs. Most of them are plain, and it is looked at them all at once."""
    return paths if _is_plain("".join(paths)) else list(map(href_of, paths))


def _is_plain(path: str) -> bool:
    """Whether a path is an href as it is; told in a tenth of the time that `quote` takes."""
    return path.isascii() and not path.encode().translate(None, _PLAIN)


def status_line(status: HTTPStatus) -> str:
    return f"<D:status>HTTP/1.1 {status.value} {status.phrase}</D:status>"


_OK = f"</D:prop>{status_line(HTTPStatus.OK)}</D:propstat>"
_MISSING = f"</D:prop>{status_line(HTTPStatus.NOT_FOUND)}</D:propstat>"


def properties(href: str, present: str, missing: str = "", is_minimal: bool = False) -> str:
    """Returns the response about one resource: the markup of its properties, and of those that it does not have. With
    `is_minimal` these are left out (RFC 8144 section 2.1)."""
    ok = f"<D:propstat><D:prop>{present}{_OK}" if present or is_minimal or not missing else ""
    not_found = f"<D:propstat><D:prop>{missing}{_MISSING}" if missing and not is_minimal else ""
    return f"<D:response><D:href>{href}</D:href>{ok}{not_found}</D:response>"


def propstats(parts: Iterable[tuple[HTTPStatus, Sequence[str], str]]) -> str:
    """Returns the outcomes of changes of properties: for each status the names and, if there is one, the markup of the
    precondition that failed."""
    pieces: list[str] = []
    for status, names, precondition in parts:
        if names:
            markup = "".join(map(element, names))
            error = f"<D:error>{precondition}</D:error>" if precondition else ""
            pieces.append(f"<D:propstat><D:prop>{markup}</D:prop>{status_line(status)}{error}</D:propstat>")
    return "".join(pieces)


def outcomes(href: str, parts: Iterable[tuple[HTTPStatus, Sequence[str], str]]) -> str:
    """Returns the response about changes of a resource's properties."""
    return f"<D:response><D:href>{href}</D:href>{propstats(parts)}</D:response>"


def state(href: str, status: HTTPStatus, precondition: str = "") -> str:
    """Returns the response about a resource that has only a status."""
    error = f"<D:error>{precondition}</D:error>" if precondition else ""
    return f"<D:response><D:href>{href}</D:href>{status_line(status)}{error}</D:response>"


def error_body(precondition: str) -> bytes:
    """Returns the body of an answer that names the precondition that failed."""
    return f"{xml.DECLARATION}<D:error{DECLARATIONS}>{precondition}</D:error>".encode()
