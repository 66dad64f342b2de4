"""Content lines: what is read, what is reported, and that octets survive; covers: folds"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols import content_lines, folds
from postern.protocols.content_lines import Component, component, escaped, line, octets_of, read, read_line, unescaped

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n"), max_size=200)
WORD = st.from_regex(r"[A-Z][A-Z0-9-]{0,10}", fullmatch=True)
PARAMETER = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.just("\n"), max_size=40)


def _whats(octets: bytes) -> list[str]:
    return [defect.what for defect in read(octets).defects]


def test_a_line_has_a_name_parameters_and_a_value() -> None:
    found = read_line(b'item1.attendee;CN="Kim; Min,ji";X=1,"2,3",4;HOME;Y=a^nb^\'c^^:mailto:a@b.test\r\n')
    assert found is not None
    assert (found.group, found.name, found.value) == ("item1", "ATTENDEE", "mailto:a@b.test")
    assert found.parameters == [
        ("CN", ["Kim; Min,ji"]),
        ("X", ["1", "2,3", "4"]),
        ("HOME", []),
        ("Y", ['a\nb"c^']),
    ]


@pytest.mark.parametrize("raw", [b"", b"abc", b":x", b";A=b:c", b'"A":b', b"\r\n"])
def test_what_is_no_line(raw: bytes) -> None:
    assert read_line(raw) is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"A:b\r\n c\r\n\td\r\n", "bcd"),
        (b"A:b\n c", "bc"),
        ("A:\xe9".encode()[:-1] + b"\r\n " + "\xe9".encode()[1:], "\xe9"),
        (b'A;B="c:d', "d"),
        (b"A;B=c;:d", "d"),
    ],
)
def test_folding_and_what_is_nearly_right(raw: bytes, value: str) -> None:
    found = read_line(raw)
    assert found is not None and found.value == value


def test_octets_that_are_no_utf8_come_back() -> None:
    octets = b"BEGIN:A\r\nSUMMARY:\xb0\xa1\xff\r\nEND:A\r\n"
    document = read(octets)
    value = document.roots[0].value("SUMMARY")
    assert content_lines.octets_of(value) == b"\xb0\xa1\xff"
    assert line("SUMMARY", value).raw == b"SUMMARY:\xb0\xa1\xff\r\n"
    assert document.roots[0].octets() == octets


def test_a_tree_is_written_as_it_was_read_but_for_what_changed() -> None:
    octets = b"BEGIN:A\nX;y=1:\n 2\n\nbroken\nBEGIN:B\nEND:B\nX:3\nEND:A\n"
    root = read(octets).roots[0]
    assert root.octets() == octets
    changed = root.copy()
    changed.replace("X", line("X", "4"))
    assert changed.octets() == b"BEGIN:A\nX:4\r\n\nbroken\nBEGIN:B\nEND:B\nEND:A\n"
    changed.replace("Y", line("Y", "5"))
    changed.replace("X", None)
    assert changed.octets() == b"BEGIN:A\n\nbroken\nY:5\r\nBEGIN:B\nEND:B\nEND:A\n"
    assert root.octets() == octets


@pytest.mark.parametrize(
    ("octets", "whats"),
    [
        (b"BEGIN:A\r\nEND:A\r\n", []),
        (b"BEGIN:A\r\nEND:A", []),
        (b"BEGIN:A\nEND:A\n", ["lines end with LF"]),
        (b"BEGIN:A\rEND:A\r", ["lines end with CR"]),
        (b"\xef\xbb\xbfBEGIN:A\r\nEND:A\r\n", ["byte order mark"]),
        (b"BEGIN:A\r\nx\r\nEND:A\r\n", ["no colon"]),
        (b"X:1\r\nBEGIN:A\r\nEND:A\r\n", ["a line outside of components"]),
        (b"BEGIN:A\r\nBEGIN:B\r\nEND:A\r\n", ["no END:B"]),
        (b"BEGIN:A\r\n", ["no END:A"]),
        (b"BEGIN:A\r\nEND:B\r\nEND:A\r\n", ["END:B without BEGIN"]),
    ],
)
def test_what_is_out_of_order_is_told(octets: bytes, whats: list[str]) -> None:
    assert _whats(octets) == whats
    assert [root.name for root in read(octets).roots] == ["A"]


def test_too_deep_and_too_long_are_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not read(b"BEGIN:A\n" * 17).whole
    monkeypatch.setattr(content_lines, "MAX_LINES", 3)
    assert read(b"BEGIN:A\nX:1\nEND:A\n").whole
    assert not read(b"BEGIN:A\nX:1\nX:1\nEND:A\n").whole


def test_quoted_printable_goes_on_after_its_soft_break() -> None:
    octets = b"BEGIN:VCARD\r\nN;ENCODING=QUOTED-PRINTABLE:=EA=\r\n=B9\r\nFN:x=\r\nEND:VCARD\r\n"
    root = read(octets).roots[0]
    assert [(entry.name, entry.value) for entry in root.lines()] == [("N", "=EA=B9"), ("FN", "x=")]
    assert root.octets() == octets


@given(WORD, st.lists(st.tuples(WORD, st.lists(PARAMETER, min_size=1, max_size=3)), max_size=3), TEXT)
def test_a_new_line_is_read_as_it_was_made(name: str, parameters: list[tuple[str, list[str]]], text: str) -> None:
    made = line(name, escaped(text), parameters)
    assert all(len(piece) <= 75 for piece in made.raw.split(b"\r\n"))
    found = read_line(made.raw)
    assert found is not None
    printable = "".join([c for c in text if (ord(c) >= 32 and ord(c) != 127) or c == "\t"])
    assert (found.name, unescaped(found.value)) == (name, printable)
    assert [(key, "".join(values)) for key, values in found.parameters] == [
        (key, "".join(values)) for key, values in parameters
    ]


@given(st.text(max_size=100))
def test_folding_keeps_characters_whole(text: str) -> None:
    pieces = folds.folded(octets_of("A:" + text.replace("\n", ""))).split(b"\r\n ")
    for piece in pieces:
        piece.decode("utf-8")


@given(st.lists(st.text(alphabet="ab\\,;\n", max_size=5), min_size=1, max_size=5))
def test_split_is_the_reverse_of_joining(texts: list[str]) -> None:
    joined = ",".join(map(escaped, texts))
    assert [unescaped(part) for part in content_lines.split(joined, ",")] == texts


@given(st.binary(max_size=300))
def test_anything_is_read_and_written_again(octets: bytes) -> None:
    for root in read(b"BEGIN:A\r\n" + octets + b"\r\nEND:A\r\n").roots:
        assert isinstance(root, Component)
        again = read(root.octets()).roots
        assert [other.octets() for other in again[:1]] == [root.octets()]


def test_a_new_component_is_written() -> None:
    made = component("VALARM", [line("ACTION", "DISPLAY")])
    assert made.octets() == b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\n"


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b" ", b"\t", b"\r\n ", b"\n\t"]), max_size=60).map(b"".join))
def test_a_long_line_is_unfolded_in_slices_as_at_once(value: bytes) -> None:
    raw = b"NOTE:" + value
    whole = content_lines.read_line(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "SLICE", 2)
        sliced = content_lines.read_line(raw)
    assert whole is not None and sliced is not None and sliced.value == whole.value


def test_a_fold_behind_each_octet_takes_no_memory() -> None:
    raw = b"NOTE:" + b"\r\n ".join([b"a"] * 250_000)
    tracemalloc.start()
    try:
        made = content_lines.read_line(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert made is not None and made.value == "a" * 250_000
    assert peak < 5 * len(raw)
