"""Fuzz target for HTTP and its door's paths: `python tests/fuzz/fuzz_http.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut; whole and cut give the same events. What the machine took for requests, a second reader
(h11) takes for the same requests, or refuses: else the two could be played off against each other. The same octets are the value
of a field, too.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.http", "postern.services.http"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.http.conditions import Validators, condition, range_applies
    from postern.protocols.http.dates import parse_http_date
    from postern.protocols.http.events import RequestHead
    from postern.protocols.http.negotiation import content_coding, parse_content_type, preferred
    from postern.protocols.http.ranges import parse_range
    from postern.services.http.site import Route, Site, path_of
    from tests.protocols.http.test_peer import compare
    from tests.protocols.http.test_server import events_of

from postern.paths.guard import Guard
from postern.paths.table import TABLE


async def _nothing(scope: Any, receive: Any, send: Any) -> None: ...


_GUARD = Guard([TABLE["autodiscover"]], frozenset())
SITE = Site([Route(prefix, _GUARD, _nothing, frozenset({"GET"})) for prefix in ("/", "/dav/", "/dav/a/b")])


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the machine does what it must not."""
    if not data:
        return
    wire = data[1:]
    events = events_of(wire)
    assert events == events_of(wire, 1 + data[0])
    for event in events:
        if isinstance(event, RequestHead):
            assert event.target.startswith(b"/") or (event.target == b"*" and event.method == "OPTIONS")
            assert event.host or event.version == "1.0"
    compare(wire)
    value(wire)


def value(octets: bytes) -> None:
    """Reads octets as the value of each field that has a reader."""
    current = Validators(b'"a"', 1_000_000_000)
    for name in (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"):
        assert condition("GET", [(name, octets)], current) in (None, 304, 412)
    range_applies([(b"if-range", octets)], current)
    assert all(part.start < part.end <= 100 for part in parse_range(octets, 100) or ())
    assert content_coding(octets, ("br", "gzip")) in (None, "br", "gzip", "identity")
    assert preferred(octets, ("text/html", "application/json")) in (None, "text/html", "application/json")
    parse_content_type(octets)
    path = path_of(octets)
    if path is not None:
        assert path.startswith("/") and "/../" not in f"{path}/"
        assert (route := SITE.route("x", path)) is not None and f"{path}/".lower().startswith(route.prefix)
    parse_http_date(octets)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
