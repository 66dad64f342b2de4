"""Fuzz target for the HTTP machine: `python tests/fuzz/fuzz_http.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut; whole and cut give the same event, and a request that is one has a path.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["postern.protocols.http"]):
        from postern.protocols.http.single import Request
        from tests.protocols.http.test_single import event_of
else:
    from postern.protocols.http.single import Request
    from tests.protocols.http.test_single import event_of


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the machine does what it must not."""
    if not data:
        return
    event = event_of(data[1:])
    assert event == event_of(data[1:], 1 + data[0])
    assert not isinstance(event, Request) or (event.path.startswith("/") and "?" not in event.path)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
