"""A short run of the fuzz target, so that it cannot rot."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_ews_operations import one_input

pytestmark = pytest.mark.slow


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_the_target_finds_nothing(data: bytes) -> None:
    one_input(data)


def test_long_requests_find_nothing() -> None:
    for seed in range(300):
        one_input(random.Random(seed).randbytes(500))
