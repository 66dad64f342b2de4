"""Many texts and octet strings as two arrays. `test_ndr` has round trips of them among other types."""

from __future__ import annotations

import pytest

from postern.protocols.dcerpc.ndr import Message, NdrError
from postern.protocols.dcerpc.ndr_blobs import Blobs, Texts


def test_texts_are_blobs_of_utf_8_on_the_wire() -> None:
    for texts in (("ab", "", "c"), ("한글", "", "c\udc80"), ()):
        data = Message([Texts()]).encode((texts,))
        assert data == Message([Blobs()]).encode(([text.encode("utf-8", "surrogatepass") for text in texts],))
        assert Message([Texts()]).decode(data) == [texts]
    with pytest.raises(NdrError, match="no UTF-8"):
        Message([Texts()]).decode(Message([Blobs()]).encode(([b"\xff", b"a"],)))
