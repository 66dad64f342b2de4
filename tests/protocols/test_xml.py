"""XML: what is read, what is refused, and that what is written is read again."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postern.protocols import xml
from postern.protocols.xml import Bounds, Element, XmlError, read, write

PROPFIND = b"""<?xml version="1.0" encoding="utf-8" ?>
<D:propfind xmlns:D="DAV:" xmlns:c='urn:ietf:params:xml:ns:caldav'>
  <!-- a comment --><?instruction x?>
  <D:prop><c:calendar-data c:kind="a&amp;b" plain="1"/><getetag xmlns="DAV:" xml:lang="ko"/><x/></D:prop>
</D:propfind>"""


def test_names_have_their_namespace() -> None:
    root = read(PROPFIND)
    assert (root.name, root.local, root.namespace) == ("{DAV:}propfind", "propfind", "DAV:")
    prop = root.find("{DAV:}prop")
    assert prop is not None
    data, etag, plain = prop.elements
    assert data.name == "{urn:ietf:params:xml:ns:caldav}calendar-data"
    assert data.attributes == {"{urn:ietf:params:xml:ns:caldav}kind": "a&b", "plain": "1"}
    assert etag.name == "{DAV:}getetag" and etag.attributes == {xml.LANGUAGE: "ko"}
    assert (plain.name, plain.namespace) == ("x", "")
    assert [element.local for element in root.walk()] == ["propfind", "prop", "calendar-data", "getetag", "x"]
    assert root.find("{DAV:}prop", "x") is plain and root.find("x", "y") is None
    assert prop.find_all("x") == [plain]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_place_of_an_element_is_that_of_its_name(codec: str) -> None:
    document = "<é>\n <!-- <x/> -->\n  <b c='&lt;'/>é<d\n/></é>".encode(codec)
    places = [xml.position(document, number) for number, _ in enumerate(read(document).walk())]
    assert [(place.line, place.column) for place in places] == [(1, 2), (3, 4), (3, 18)]


def test_text_keeps_its_place_and_is_whole() -> None:
    root = read(b"<a> one<b/>two &lt;&#x1F600;<![CDATA[<!DOCTYPE>]]><!-- x -->end</a>")
    assert root.children == [" one", Element("b"), "two <\U0001f600<!DOCTYPE>end"]
    assert root.text == " onetwo <\U0001f600<!DOCTYPE>end"
    assert read(b"<a><b> c </b></a>").text_of("b") == "c" and read(b"<a/>").text_of("b") == ""
    long = "한" * 200_000
    assert read(f"<a>{long}</a>".encode()).children == [long]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_both_encodings_are_read(codec: str) -> None:
    assert read("<a>메일 \U0001f600</a>".encode(codec)).text == "메일 \U0001f600"
    declared = "UTF-8" if codec.startswith("utf-8") else "utf-16"
    assert read(f'<?xml version="1.0" encoding="{declared}"?><a>메일</a>'.encode(codec)).text == "메일"


def test_a_content_type_s_charset_goes_before_the_declaration() -> None:
    document = '<?xml version="1.0" encoding="utf-16"?><a>메일</a>'
    assert read(document.encode(), charset='"UTF-8"').text == "메일"
    assert read("<a>é</a>".encode("utf-16-be"), charset="utf-16").text == "é"
    assert read("<a>é</a>".encode("utf-16"), charset="utf-8").text == "é", "the byte order mark goes before both"
    with pytest.raises(XmlError, match="well-formed"):
        read(b"\x80", charset="utf-16")
    with pytest.raises(XmlError, match="encoding"):
        read(document.encode())
    with pytest.raises(XmlError, match="encoding"):
        read(b"<a/>", charset="euc-kr")


BOMB = b"<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;&b;&b;'>]>"
SECRET = "s3cret"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "empty|well-formed"),
        (b"<a>", "well-formed"),
        (b"<a></b>", "well-formed"),
        (b"<a/>more", "well-formed"),
        (b"<a/><a/>", "well-formed"),
        (b"<a>\x00</a>", "well-formed"),
        (b"<a>\x08</a>", "well-formed"),
        (b"<a>&#8;</a>", "well-formed"),
        (b"<a>\xff</a>", "well-formed"),
        (b"<a>\xed\xa0\x80</a>", "well-formed"),
        (b"<a>&s3cret;</a>", "well-formed"),
        (b"<s3cret>", "well-formed"),
        (b"<a s3cret=''  s3cret=''/>", "well-formed"),
        (b"\xff\xfe<\x00\x00\xd8", "well-formed"),
        (b"<!DOCTYPE a><a/>", "document type"),
        (BOMB + b"<a>&c;</a>", "document type"),
        (BOMB + b"<a x='&c;'/>", "document type"),
        (b"<!-- <!DOCTYPE --><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "document type"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><a/>', "encoding"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "encoding"),
        (b"<s3cret:a/>", "prefix"),
        (b"<a s3cret:b=''/>", "prefix"),
        (b"<a:b:c xmlns:a='x'/>", "prefix"),
        (b"<a: xmlns:a='x'/>", "prefix|well-formed"),
        (b"<a xmlns:b=''/>", "namespace"),
        (b"<a xmlns:xml='x'/>", "namespace"),
        (b"<a xmlns:xmlns='x'/>", "namespace"),
        (b"<a xmlns='http://www.w3.org/2000/xmlns/'/>", "namespace"),
        (b"<a xmlns:b='http://www.w3.org/XML/1998/namespace'/>", "namespace"),
        (b"<a xmlns:b='a}b'/>", "namespace"),
        (b"<a xmlns:b='x' xmlns:c='x' b:d='' c:d=''/>", "twice"),
    ],
)
def test_what_is_no_document_is_refused_without_its_text(document: bytes, reason: str) -> None:
    with pytest.raises(XmlError, match=reason) as raised:
        read(document)
    error = raised.value
    assert SECRET not in str(error) and (error.__context__ is None or error.__suppress_context__)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<a>" + b" " * 1000 + b"</a>", "too large"),
        (b"<a>" * 9 + b"</a>" * 9, "levels"),
        (b"<a>" + b"<b/>" * 20 + b"</a>", "elements"),
        (b"<a " + b" ".join(b"b%d=''" % number for number in range(21)) + b"/>", "attributes"),
        (b"<a>" + b"<b c='' d='' e=''/>" * 7 + b"</a>", "attributes"),
        (b"<a " + b" ".join(b"xmlns:b%d='x'" % number for number in range(8)) + b"/>", "namespaces"),
        (b"<" + b"a" * 31 + b"/>", "name"),
        (b"<a " + b"b" * 31 + b"=''/>", "attribute"),
        (b"<a b='" + b"c" * 41 + b"'/>", "attribute"),
        (b"<a xmlns='" + b"c" * 31 + b"'/>", "namespace"),
    ],
)
def test_each_bound_holds(document: bytes, reason: str) -> None:
    bounds = Bounds(octets=500, depth=8, elements=20, attributes=20, name=30, value=40, spaces=8)
    with pytest.raises(XmlError, match=reason):
        read(document, bounds)
    read(document, Bounds())


def test_a_namespace_ends_with_its_element() -> None:
    root = read(b"<a xmlns='x'><b xmlns='y'><c/></b><c/><d xmlns=''><c/></d></a>")
    assert [element.name for element in root.walk()] == ["{x}a", "{y}b", "{y}c", "{x}c", "d", "c"]
    with pytest.raises(XmlError):
        read(b"<a><b xmlns:p='x'/><p:c/></a>")


def test_names_of_documents_are_not_kept() -> None:
    """A table of names that grows with each document would let one user fill the memory of a worker."""
    seen: list[dict[str, str]] = []
    plain = xml.expat.ParserCreate

    def recording(encoding: str) -> xml.expat.XMLParserType:
        parser = plain(encoding)
        seen.append(parser.intern)
        return parser

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml.expat, "ParserCreate", recording)
        read(b"<first/>")
        read(b"<second/>")
    assert ["first" in names for names in seen] == [True, False] and "second" in seen[1]


NAMES = st.from_regex(r"\A[a-zA-Z_가-힣][a-zA-Z0-9._-]{0,5}\Z")
SPACES = st.sampled_from(["", "{DAV:}", "{urn:x}", "{http://a/?b&c='\"}"])
FULL = st.builds("".join, st.tuples(SPACES, NAMES))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _trees(children: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
    return st.builds(
        Element, FULL, st.dictionaries(FULL, TEXTS, max_size=3), st.lists(st.one_of(children, TEXTS), max_size=3)
    )


TREES = st.recursive(st.builds(Element, FULL, st.dictionaries(FULL, TEXTS, max_size=3)), _trees, max_leaves=8)


def _fit(value: str) -> str:
    """A text as it comes back: what no document can have has become U+FFFD."""
    plain = {0x9, 0xA, 0xD}
    return "".join(
        "\ufffd" if (ord(sign) < 0x20 and ord(sign) not in plain) or ord(sign) in (0xFFFE, 0xFFFF) else sign
        for sign in value
    )


def _normal(element: Element) -> Element:
    children: list[Element | str] = []
    for child in element.children:
        if isinstance(child, Element):
            children.append(_normal(child))
        elif child and children and isinstance(children[-1], str):
            children[-1] += _fit(child)
        elif child:
            children.append(_fit(child))
    return Element(element.name, {key: _fit(value) for key, value in element.attributes.items()}, children)


@given(TREES)
def test_what_is_written_is_read_again(tree: Element) -> None:
    assert read(write(tree)) == _normal(tree)
    assert read(b"<a>" + write(tree, {"DAV:": "D", "urn:x": "n0"}, declaration=False) + b"</a>").elements == [
        _normal(tree)
    ]


@given(TREES)
def test_another_reader_sees_the_same(tree: Element) -> None:
    def same(ours: Element, theirs: ElementTree.Element) -> bool:
        return (
            ours.name == theirs.tag
            and ours.attributes == theirs.attrib
            and ours.text == (theirs.text or "") + "".join(child.tail or "" for child in theirs)
            and len(ours.elements) == len(theirs)
            and all(map(same, ours.elements, theirs))
        )

    octets = write(tree)
    assert same(read(octets), ElementTree.fromstring(octets))


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    with suppress(XmlError):
        assert read(write(root := read(data))) == root


def test_a_surrogate_alone_and_a_control_character_become_a_mark() -> None:
    assert xml.text("a\x00\x1f\ud800\ufffe\r\n\t<&>") == "a\ufffd\ufffd\ufffd\ufffd&#13;\n\t&lt;&amp;&gt;"
    assert xml.attribute('"\n\t\r') == "&quot;&#10;&#9;&#13;"
    assert write(Element("{DAV:}a", {"{DAV:}b": "c"}, ["d"]), {"DAV:": "D"}, declaration=False) == (
        b'<D:a xmlns:D="DAV:" D:b="c">d</D:a>'
    )


@given(st.binary(max_size=30) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example("\ufffe\uffff\ufffd\r\n&<>\x00 한글".encode())
def test_octets_are_written_as_their_text_is(octets: bytes) -> None:
    assert xml.text_of_octets(octets) == xml.text(octets.decode("utf-8", "replace"))
