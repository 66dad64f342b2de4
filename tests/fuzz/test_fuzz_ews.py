"""A short run of the fuzz target, so that it cannot rot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_ews import one_input


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_the_target_finds_nothing(data: bytes) -> None:
    one_input(data)
