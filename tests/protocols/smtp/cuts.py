"""Cutting a stream of bytes into the pieces in which a network might bring it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` cut at these places (taken modulo its length); joined, the pieces are `data` again."""
    ends = sorted({place % len(data) for place in places} | {0, len(data)}) if data else [0, 0]
    return [data[start:end] for start, end in itertools.pairwise(ends)]
