"""Domain controllers come back from the interface's parameters; what does not add up is a ValueError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.directory import DomainController
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY, KNOWN

NAMES = st.text("abc.-", max_size=20)
CONTROLLERS = st.builds(
    DomainController,
    *(NAMES, NAMES, st.text(max_size=10).filter(lambda t: t.isprintable())),
    *(st.booleans(), st.booleans(), st.booleans()),
    st.integers(0, 10_000_000).map(lambda microseconds: microseconds / 1_000_000),
)


@given(st.text(max_size=10).filter(str.isprintable), st.lists(CONTROLLERS, max_size=5).map(tuple))
def test_what_is_told_is_heard(site: str, controllers: tuple[DomainController, ...]) -> None:
    reply = AD_TOPOLOGY.operations[0].reply
    heard = AD_TOPOLOGY.operations[0].read_result(
        reply.decode(reply.encode((*KNOWN.write((site, controllers)), 0))), ()
    )
    assert heard[0] == site
    for told, got in zip(controllers, heard[1], strict=True):
        assert abs(got.latency - told.latency) < 0.000_002
        assert DomainController(*(getattr(got, name) for name in told.__slots__[:-1]), told.latency) == told


def test_arrays_of_different_sizes_are_no_answer() -> None:
    known = DomainController("dc1.corp.test", "192.0.2.1", "S", True, True)
    good = list(KNOWN.write(("S", (known, known))))
    for place in range(1, 6):
        bad = good.copy()
        bad[place] = bad[place][:4] if isinstance(bad[place], bytes) else bad[place][:1]
        with pytest.raises(ValueError):
            KNOWN.read(*bad)
    good[1] = [b"\xff", b"x"]
    with pytest.raises(ValueError):
        KNOWN.read(*good)
