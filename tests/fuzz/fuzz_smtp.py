"""Fuzz target for the SMTP machines: `python tests/fuzz/fuzz_smtp.py -max_total_time=300`, with atheris.

The first octet says how the rest is cut; the server machine must give the same events whole and cut, neither machine may raise,
and no message may hold a stray CR or LF.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.smtp"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.smtp import address
    from postern.protocols.smtp.client import Client
    from tests.protocols.smtp.test_server import ENVELOPE, Played

BOUNDS = {"message_size": 4096, "piece": 16, "errors": 5}


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the machines do what they must not."""
    if not data:
        return
    seed, rest = data[0], data[1:]
    wire = ENVELOPE + b"DATA\r\n" + rest if seed & 1 else rest
    whole = Played(wire, **BOUNDS)
    pieces = Played(wire, list(range(0, len(wire), 1 + seed // 8)), **BOUNDS)
    assert (whole.said, whole.messages, whole.events) == (pieces.said, pieces.messages, pieces.events)
    for _, content in whole.messages:
        rest = content.replace(b"\r\n", b"")
        assert b"\r" not in rest and b"\n" not in rest
    said = data.decode("latin-1")
    decoded = address.xtext_decode(said)
    assert decoded is None or address.xtext_decode(address.xtext_encode(decoded)) == decoded
    mailbox = address.parse_mailbox(said)
    assert mailbox is None or address.parse_mailbox(mailbox) == mailbox
    client = Client()
    client.command("EHLO", "x")
    for start in range(0, len(data), 7):
        client.receive(data[start : start + 7])
        while client.next_event() is not None:
            pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
