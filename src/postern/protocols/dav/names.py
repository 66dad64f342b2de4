"""The namespaces of DAV, the names in them, and how a name is written in an answer.

A name is in Clark's notation, as `protocols.xml` has it: `{DAV:}getetag`.
"""

from __future__ import annotations

from postern.protocols import xml

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CARDDAV = "urn:ietf:params:xml:ns:carddav"
CALENDAR_SERVER = "http://calendarserver.org/ns/"
APPLE_ICAL = "http://apple.com/ns/ical/"

PREFIXES = {DAV: "D", CALDAV: "C", CARDDAV: "A", CALENDAR_SERVER: "S", APPLE_ICAL: "I"}
"""The prefixes that each document of ours declares at its root."""
DECLARATIONS = "".join(f' xmlns:{prefix}="{space}"' for space, prefix in PREFIXES.items())


def dav(name: str) -> str:
    """Returns a name in the namespace of RFC 4918 and its extensions."""
    return f"{{{DAV}}}{name}"


def caldav(name: str) -> str:
    return f"{{{CALDAV}}}{name}"


def carddav(name: str) -> str:
    return f"{{{CARDDAV}}}{name}"


def calendar_server(name: str) -> str:
    """Returns a name of Apple's calendar server, whose CTag and shared properties most clients know."""
    return f"{{{CALENDAR_SERVER}}}{name}"


def opening(name: str) -> tuple[str, str]:
    """Returns a name as it stands in a start tag and in an end tag. A name in a namespace without a prefix of ours brings its
    declaration: `x:color xmlns:x="urn:foo"`.

    Bound: linear in the name.
    """
    space, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    if not space:
        return local, local
    prefix = PREFIXES.get(space)
    if prefix is not None:
        tag = f"{prefix}:{local}"
        return tag, tag
    return f'x:{local} xmlns:x="{xml.attribute(space)}"', f"x:{local}"


def element(name: str, inner: str = "") -> str:
    """Returns an element with this markup in it."""
    start, end = opening(name)
    return f"<{start}>{inner}</{end}>" if inner else f"<{start}/>"
