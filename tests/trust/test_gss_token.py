"""The frame of a mechanism's first token: what it names, and what is no frame."""

from __future__ import annotations

import pytest

from postern.protocols.ber import element
from postern.trust.gss_token import KERBEROS, SPNEGO, unframed


@pytest.mark.parametrize("oid", [KERBEROS, SPNEGO])
@pytest.mark.parametrize("token", [b"", b"inner", bytes(70_000)])
def test_a_frame_names_its_mechanism(oid: bytes, token: bytes) -> None:
    assert unframed(element(0x60, element(0x06, oid) + token)) == (oid, token)


@pytest.mark.parametrize(
    "token",
    [
        *(b"", b"\x60", b"NTLMSSP\0", element(0x61, element(0x06, KERBEROS)), element(0x60, element(0x04, KERBEROS))),
        element(0x60, element(0x06, KERBEROS))[:-1],
        b"\x60\x80\x06\x00",
    ],
)
def test_what_is_no_frame(token: bytes) -> None:
    assert unframed(token) is None
