"""Worst cases of what reads HTTP: protocols.http."""

from __future__ import annotations

from functools import partial

from postern.protocols.http import single
from tests.bounds.growth import Cases, Work, pieces


def _request(size: int, wire: bytes, step: int) -> Work:
    data = wire * (size // len(wire))

    def work() -> None:
        machine = single.SingleRequest()
        for piece in pieces(data, step):
            machine.receive(piece)
            machine.next_event()

    return work


CASES: Cases = {
    "protocols.http.single.SingleRequest": partial(_request, wire=b"GET / HTTP/1.1\r\nA: b\r\n", step=1),
    "protocols.http.single.SingleRequest:ends": partial(_request, wire=b"\r\n\r", step=65_536),
    "protocols.http.single.SingleRequest:one": partial(_request, wire=b"a", step=8192),
}
