"""A short run of the fuzz target, so that it cannot rot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_web import one_input

_PIECES = st.sampled_from(
    [
        b"GET /open/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        b"PUT /OPEN/%2e%2e/closed/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"5\r\nabcde\r\n0\r\n\r\n",
        b"GET /closed/ HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
        b"hello",
        b"\r\n",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 255), st.lists(_PIECES | st.binary(max_size=40), max_size=8))
def test_the_target_finds_nothing(step: int, pieces: list[bytes]) -> None:
    one_input(bytes([step]) + b"".join(pieces))
