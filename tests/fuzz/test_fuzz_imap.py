"""A short run of the fuzz target, so that it cannot rot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_imap import one_input

COMMANDS = [
    b"a ",
    b"NOOP",
    b"IDLE",
    b"DONE",
    b"LOGIN ",
    b"APPEND x ",
    b"AUTHENTICATE PLAIN",
    b"UID FETCH 1:* ",
    b"BODY[]",
]
TOKENS = [b"{3}", b"{3+}", b"{999+}", b"\r\n", b"abc", b"(", b")", b'"', b" ", b"AUTH PLAIN", b"RETR 1", b"x" * 700]
WORDS = st.sampled_from(COMMANDS + TOKENS)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=1), st.lists(WORDS | st.binary(max_size=9), max_size=30).map(b"".join))
def test_the_target_finds_nothing(seed: bytes, wire: bytes) -> None:
    one_input(seed + wire)
