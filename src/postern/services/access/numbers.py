"""Numbers of items as arrays: unsigned, of 32 bits, as `model.items` hands them out in octets."""

from __future__ import annotations

from array import array

WORD = "I" if array("I").itemsize == 4 else "L"
"""The type code of 32 bits on this machine."""


def from_octets(data: bytes) -> array[int]:
    """Reads numbers out of octets, four each, in this machine's order."""
    return array(WORD, data)
