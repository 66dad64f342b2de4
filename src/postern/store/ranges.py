"""UID sets as the store wants them: sorted, without overlap, within 32 bits."""

from __future__ import annotations

from collections.abc import Sequence

MAX_UID = 0xFFFFFFFF


def merged(ranges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Returns the lows and highs of the same set. A pair may come either way round ("5:2", RFC 9051 section 9)."""
    lows: list[int] = []
    highs: list[int] = []
    for first, second in sorted([(min(pair), max(pair)) for pair in ranges]):
        low, high = max(1, first), min(MAX_UID, second)
        if low > high:
            continue
        if highs and low <= highs[-1] + 1:
            highs[-1] = max(highs[-1], high)
        else:
            lows.append(low)
            highs.append(high)
    return lows, highs
