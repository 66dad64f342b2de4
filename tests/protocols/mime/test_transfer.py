"""Content transfer encodings."""

from __future__ import annotations

import pytest

from postern.protocols.mime.transfer import from_transfer


@pytest.mark.parametrize(
    ("encoded", "plain"),
    [
        # RFC 2045 section 6.7, rule 3.
        (b"one \t \r\ntwo", b"one\r\ntwo"),
        (b"one= \t\r\ntwo", b"onetwo"),
        (b"one=\r\ntwo  three ", b"onetwo  three"),
        (b"kept=20\r\n", b"kept \r\n"),
        (b"lf \nend=", b"lf\nend"),
    ],
)
def test_quoted_printable(encoded: bytes, plain: bytes) -> None:
    assert from_transfer(encoded, "quoted-printable") == plain
