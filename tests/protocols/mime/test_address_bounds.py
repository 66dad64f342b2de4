"""The bound of address lists holds while addresses are made, and not only for what is returned.

covers: address
"""

from __future__ import annotations

import pytest

from postern.protocols.mime import address


@pytest.mark.parametrize("pattern", [b"a@b ", b"a@b (c) ", b"a@b,(c)\\x ", b"<a@b>x,", b"g:a@b;", b"x y z,"])
def test_no_more_addresses_are_made_than_are_told(pattern: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    class Counted(address.Address):
        def __post_init__(self) -> None:
            nonlocal made
            made += 1

    monkeypatch.setattr(address, "Address", Counted)
    monkeypatch.setattr(address, "MAX_ADDRESSES", 100)
    found, _ = address.address_list(pattern * 1000)
    assert len(found) == 100
    # A comment behind an address is put into it by a copy, and a group may end at the bound.
    assert made <= 2 * 100 + 2


def test_whoever_stands_before_the_bound_is_told_as_ever() -> None:
    found, _ = address.address_list(b", ".join([b'"x@y" (c) <u%d@v.test>' % number for number in range(4000)]))
    assert [one.address for one in found] == [f"u{number}@v.test" for number in range(4000)]
    found, _ = address.address_list(b"a@b " * 11_000)
    assert len(found) == address.MAX_ADDRESSES and {one.address for one in found} == {"a@b"}
