"""What only this organization may write is taken out of strangers' headers, and stays at home on the way out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postern.transport.agents.header_firewall import HeaderFirewall, HeaderFirewallSettings

AGENT = HeaderFirewall(HeaderFirewallSettings())
NAMES = frozenset({"edge1.corp.test", "corp.test"})
OURS = (
    b"X-Postern-Trust: yes\r\nX-MS-Exchange-Organization-SCL : -1\r\nx-ms-exchange-forest-x: 1\r\n\t2\r\n"
    b"X-MS-Exchange-CrossPremises-AuthAs: Internal\r\n"
)
RESULTS = (
    b"Authentication-Results: edge1.corp.test; dmarc=pass\r\nAuthentication-Results: (x) CORP.test; dmarc=pass\r\n"
)
THEIRS = b"From: a@b.test\r\nAuthentication-Results: mx.b.test; spf=pass\r\nX-Other: y\r\n"


def test_inward() -> None:
    header, gone = AGENT.inward(OURS + THEIRS + RESULTS, NAMES)
    assert header == THEIRS and len(gone) == 6


def test_outward() -> None:
    header, gone = AGENT.outward(OURS + THEIRS + RESULTS)
    assert header == THEIRS + RESULTS and len(gone) == 4


def test_nothing_to_do_changes_nothing() -> None:
    assert AGENT.inward(THEIRS, NAMES) == (THEIRS, ()) and AGENT.outward(THEIRS) == (THEIRS, ())


@given(
    st.sampled_from([b"X-Postern-Trust", b"x-postern-a", b"X-MS-Exchange-Organization-SCL"]),
    st.sampled_from([b":", b" :", b"\t:"]),
)
def test_spellings_that_a_reader_forgives(name: bytes, colon: bytes) -> None:
    for spelled in (name, name.upper(), name.lower()):
        assert AGENT.inward(THEIRS + spelled + colon + b" x\r\n folded\r\n", NAMES)[0] == THEIRS
