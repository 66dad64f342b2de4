"""Fuzz target for the HTTP machine: `python tests/fuzz/fuzz_http.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut; whole and cut give the same events. What the machine took for requests, a second reader
(h11) takes for the same requests, or refuses: else the two could be played off against each other.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["postern.protocols.http"]):
        from postern.protocols.http.events import RequestHead
        from tests.protocols.http.test_peer import compare
        from tests.protocols.http.test_server import events_of
else:
    from postern.protocols.http.events import RequestHead
    from tests.protocols.http.test_peer import compare
    from tests.protocols.http.test_server import events_of


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


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
