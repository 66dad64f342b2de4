"""Dot transparency, and stray CR and LF."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.smtp.content import ChunkReader, DotReader, stuffed
from tests.protocols.smtp.cuts import cut

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a", b"a.", b"bb" * 30]), max_size=30)


def read(wire: bytes, cuts: list[int], piece: int) -> tuple[bytes, bytes, bool]:
    """Content, what is left behind its end, and whether something stray was seen."""
    reader, buffer, content, ended = DotReader(piece), bytearray(), b"", False
    for chunk in cut(wire, cuts):
        buffer += chunk
        while not ended:
            data, ended = reader.take(buffer)
            content += data
            if not data:
                break
    return content, bytes(buffer), reader.bare


@given(LINES, st.lists(st.integers(0, 2000)), st.lists(st.integers(0, 2000)), st.sampled_from([16, 40, 65536]))
def test_content_comes_through(lines: list[bytes], chunks: list[int], cuts: list[int], piece: int) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    wire = b"".join(stuffed(cut(content, chunks))) + b"QUIT\r\n"
    assert read(wire, cuts, piece) == (content, b"QUIT\r\n", False)


def test_a_last_line_without_its_end_gets_one() -> None:
    assert b"".join(stuffed([b"a\r\nb"])) == b"a\r\nb\r\n.\r\n"
    assert b"".join(stuffed([])) == b".\r\n"


@given(st.text(alphabet="\r\n.a", max_size=40), st.lists(st.integers(0, 40)), st.sampled_from([16, 65536]))
def test_stray_cr_and_lf_are_seen_however_the_bytes_are_cut(text: str, cuts: list[int], piece: int) -> None:
    body = text.encode().replace(b"\r\n.\r\n", b"")
    if b"\r\n.\r\n" in b"\r\n" + body:
        return
    stray = b"\r" in body.replace(b"\r\n", b"") or b"\n" in body.replace(b"\r\n", b"")
    wire = body + b"x\r\n.\r\n"
    assert read(wire, cuts, piece)[2] == stray


@given(st.text(alphabet="\r\na", max_size=40), st.lists(st.integers(0, 40)))
def test_chunks_are_looked_at_across_their_seams(text: str, cuts: list[int]) -> None:
    body = text.encode()
    reader = ChunkReader()
    for chunk in cut(body, cuts):
        reader.look(chunk, last=False)
    reader.look(b"", last=True)
    rest = body.replace(b"\r\n", b"")
    assert reader.bare == (b"\r" in rest or b"\n" in rest)


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n"])
def test_no_other_end_ends_a_message(end: bytes) -> None:
    content, rest, bare = read(b"one\r\n" + b"two" + end + b"MAIL FROM:<x@y>\r\n\r\n.\r\n", [], 65536)
    assert bare and rest == b"" and b"MAIL FROM" in content
