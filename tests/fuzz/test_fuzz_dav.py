"""A short run of the fuzz target, from bodies and fields that can be read, so that it cannot rot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_dav import one_input
from tests.fuzz.seeds import seeds

SEEDS = list(seeds("fuzz_dav"))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_the_target_finds_nothing(data: bytes) -> None:
    one_input(data)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 400), st.integers(0, 40), st.binary(max_size=40))
def test_nor_in_what_was_changed_a_little(seed: bytes, at: int, length: int, instead: bytes) -> None:
    one_input(seed)
    at = 1 + at % max(len(seed) - 1, 1)
    one_input(seed[:at] + instead + seed[at + length :])
