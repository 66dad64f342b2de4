"""Reads and writes XML (W3C XML 1.0, Namespaces in XML 1.0) without entities and document types, within bounds.

`read` makes a tree of Elements of a document, or raises XmlError. `write` makes octets of a tree; `text` and `attribute` escape
a value for a writer that fills in a template.

Expat reads, and not libxml2: libxml2 keeps every name that it ever saw in a table of the process, and one user who sends ever
new names fills the memory of a worker. Namespaces are resolved here, because expat writes the whole namespace of each prefixed
attribute, and a long one takes the square of the document.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

_XML_SPACE = "http://www.w3.org/XML/1998/namespace"
_XMLNS_SPACE = "http://www.w3.org/2000/xmlns/"
LANGUAGE = f"{{{_XML_SPACE}}}lang"
"""The attribute xml:lang."""
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_DOCUMENT_TYPE = b"<!DOCTYPE"
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_UTF_16 = frozenset({"utf-16", "utf-16le", "utf-16be"})
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no document can have, escaped or not (XML 1.0 section 2.2)."""
_FIT_OCTETS = bytes(octet for octet in range(256) if octet >= 32 or octet in b"\t\n\r")
"""Octets that a document in UTF-8 can have. To look for others in this way takes a tenth of the time of the expression."""
_MAY_BE_UNFIT = b"\xef\xbf"
"""The beginning of U+FFFE and U+FFFF, and of others, in UTF-8."""


class XmlError(Exception):
    """The octets are no document within the bounds. The text says why, and has nothing of the document."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a document. `octets` are those that were sent; `attributes` are counted in the whole document, declarations
    of namespaces among them; `name` is the characters of a name or a namespace, `value` those of an attribute. `spaces` are
    the namespaces that an element knows by a prefix."""

    octets: int = 1_048_576
    depth: int = 64
    elements: int = 20_000
    attributes: int = 20_000
    name: int = 256
    value: int = 8_192
    spaces: int = 128


@dataclass(slots=True)
class Element:
    """An element. A name in a namespace is written as `{DAV:}prop`; `children` are elements and text in their order, and two
    texts do not follow each other where `read` made them."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    @property
    def local(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition("}")[2]

    @property
    def namespace(self) -> str:
        """The namespace of the name; "" for none."""
        return self.name[1:].partition("}")[0] if self.name.startswith("{") else ""

    @property
    def text(self) -> str:
        """The text directly in the element, without that of elements in it."""
        if len(self.children) == 1 and isinstance(text := self.children[0], str):
            return text
        return "".join([child for child in self.children if isinstance(child, str)])

    @property
    def elements(self) -> list[Element]:
        """The elements directly in this one."""
        return [child for child in self.children if isinstance(child, Element)]

    def find(self, *names: str) -> Element | None:
        """The first element that one gets to by these names, from one level to the next: `find("{DAV:}set", "{DAV:}prop")`."""
        here: Element | None = self
        for name in names:
            here = next((child for child in here.elements if child.name == name), None) if here else None
        return here

    def find_all(self, name: str) -> list[Element]:
        """The elements of this name directly in this one."""
        return [child for child in self.children if isinstance(child, Element) and child.name == name]

    def text_of(self, *names: str) -> str:
        """The text of what `find` finds, without space around it; "" where there is none."""
        child = self.find(*names)
        return child.text.strip() if child else ""

    def walk(self) -> Iterator[Element]:
        """This element and all below it, in the order of the document."""
        waiting = [self]
        while waiting:
            yield (here := waiting.pop())
            waiting.extend(reversed(here.elements))


_STANDARD = Bounds()


def read(data: bytes, bounds: Bounds = _STANDARD, charset: str = "") -> Element:
    """Reads a document and returns its root. `charset` is that of the content type, which goes before the document's own
    declaration but not before a byte order mark (RFC 7303 section 3). Comments and processing instructions are left out.
    Raises XmlError.

    Bound: linear; at most as many octets, elements, levels and attributes as `bounds` has, no document type, UTF-8 or UTF-16.
    """
    if len(data) > bounds.octets:
        raise XmlError("the document is too large")
    octets, named = _utf_8(data, charset.lower().strip("\"' "))
    reader = _Reader(bounds, named)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.buffer_size = min(len(octets) + 1, 65_536)
    parser.ordered_attributes = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.pieces.append
    parser.XmlDeclHandler = reader.declaration
    # An exception does not stop expat, which would read a document type to its end. So nothing of one reaches it.
    position = octets.find(_DOCUMENT_TYPE)
    try:
        if position >= 0:
            parser.Parse(octets[:position], False)
            if reader.root is None:
                raise XmlError("a document type is not allowed")
            octets = octets[position:]
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        where = f"{expat.ErrorString(error.code)}, line {error.lineno}, column {error.offset + 1}"
        raise XmlError(f"the document is not well-formed ({where})") from None
    if reader.root is None:
        raise XmlError("the document is empty")
    return reader.root


@dataclass(frozen=True, slots=True)
class Position:
    """The place of an element's name in a document. Lines and columns begin with 1."""

    line: int
    column: int


def position(data: bytes, number: int, charset: str = "") -> Position:
    """The place of the element with this number in the order of a document that `read` reads; the root has the number 0.

    Bound: linear.
    """
    octets, _ = _utf_8(data, charset.lower().strip("\"' "))
    parser = expat.ParserCreate("utf-8")
    places: list[Position] = []
    left = number

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal left
        if not left:
            parser.StartElementHandler = None
            places.append(Position(parser.CurrentLineNumber, parser.CurrentColumnNumber + 2))
        left -= 1

    parser.StartElementHandler = start
    parser.Parse(octets, True)
    return places[0]


def _utf_8(data: bytes, charset: str) -> tuple[bytes, frozenset[str]]:
    """The document in UTF-8 without a byte order mark, and the encodings that it may declare."""
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :], _UTF_8
    encoding = ""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif charset in _UTF_16 or (not charset and data[:2] in (b"<\0", b"\0<")):
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    elif charset and charset not in _UTF_8:
        raise XmlError("the encoding is neither UTF-8 nor UTF-16")
    if not encoding:
        # A declaration that contradicts the content type is overruled by it.
        return data, _UTF_8 | _UTF_16 if charset else _UTF_8
    try:
        return data.decode(encoding).encode(), _UTF_8 | _UTF_16
    except UnicodeError:
        raise XmlError("the document is not well-formed") from None


@dataclass(slots=True)
class _Scope:
    """The namespaces of an element by prefix, and the names of elements that were resolved with them."""

    spaces: Mapping[str, str]
    names: dict[str, str] = field(default_factory=dict)

    def element(self, name: str) -> str:
        resolved = self.names.get(name)
        if resolved is None:
            resolved = self.names[name] = self._resolved(name, self.spaces.get("", ""))
        return resolved

    def attribute(self, name: str) -> str:
        return self._resolved(name, "") if ":" in name else name

    def _resolved(self, name: str, space: str) -> str:
        prefix, colon, local = name.rpartition(":")
        if colon:
            space = self.spaces.get(prefix, "")
            if not space or not local or local[0] in "-.0123456789":
                raise XmlError("a name has a prefix without a namespace")
        return f"{{{space}}}{local}" if space else local


class _Reader:
    """Builds the tree from expat's calls, and raises XmlError at the first thing that is too much."""

    def __init__(self, bounds: Bounds, encodings: frozenset[str]) -> None:
        self.root: Element | None = None
        self._bounds = bounds
        self._encodings = encodings
        self._open: list[tuple[Element, _Scope]] = []
        self.pieces: list[str] = []
        """The text since the last tag."""
        self._scope = _Scope({"xml": _XML_SPACE})
        self._elements = 0
        self._attributes = 0

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in self._encodings:
            raise XmlError("the encoding is neither UTF-8 nor UTF-16")

    def start(self, name: str, attributes: list[str]) -> None:
        bounds, above = self._bounds, self._open
        if self.pieces:
            self._join()
        self._elements += 1
        if attributes:
            self._attributes += len(attributes) // 2
        if self._elements > bounds.elements or len(above) >= bounds.depth or self._attributes > bounds.attributes:
            raise XmlError("the document has too many elements, levels or attributes")
        if len(name) > bounds.name:
            raise XmlError("a name is too long")
        scope = self._scope
        if attributes:
            pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
            scope = self._declared(pairs)
            own = self._own(pairs, scope)
        else:
            own = {}
        element = Element(scope.names.get(name) or scope.element(name), own, [])
        if above:
            above[-1][0].children.append(element)
        else:
            self.root = element
        above.append((element, self._scope))
        self._scope = scope

    def _own(self, pairs: list[tuple[str, str]], scope: _Scope) -> dict[str, str]:
        """The attributes that declare no namespace."""
        own: dict[str, str] = {}
        for key, value in pairs:
            if len(key) > self._bounds.name or len(value) > self._bounds.value:
                raise XmlError("an attribute is too long")
            if key != "xmlns" and not key.startswith("xmlns:"):
                resolved = scope.attribute(key)
                if resolved in own:
                    raise XmlError("an attribute is there twice")
                own[resolved] = value
        return own

    def end(self, name: str) -> None:
        element, self._scope = self._open.pop()
        pieces = self.pieces
        if pieces:
            element.children.append(pieces[0] if len(pieces) == 1 else "".join(pieces))
            pieces.clear()

    def _join(self) -> None:
        """Puts the text since the last tag into its element. Text that is longer than expat's buffer comes in pieces."""
        self._open[-1][0].children.append("".join(self.pieces))
        self.pieces.clear()

    def _declared(self, pairs: list[tuple[str, str]]) -> _Scope:
        """The scope with the namespaces that an element declares (Namespaces in XML sections 3 and 5)."""
        declared: dict[str, str] = {}
        for key, space in pairs:
            if key == "xmlns" or key.startswith("xmlns:"):
                prefix = key[6:]
                if len(space) > self._bounds.name or "{" in space or "}" in space:
                    raise XmlError("a namespace is too long, or is none")
                if (
                    prefix == "xmlns"
                    or ":" in prefix
                    or (prefix and not space)
                    or (prefix == "xml") != (space == _XML_SPACE)
                    or space == _XMLNS_SPACE
                ):
                    raise XmlError("a namespace is declared that must not be")
                declared[prefix] = space
        if not declared:
            return self._scope
        spaces = {**self._scope.spaces, **declared}
        if len(spaces) > self._bounds.spaces:
            raise XmlError("the document has too many namespaces")
        return _Scope(spaces)


def text(value: str) -> str:
    """A text as it stands between two tags. A carriage return is kept (XML 1.0 section 2.11); what no document can have, such
    as a control character, becomes U+FFFD.

    Bound: linear; at most five characters for one.
    """
    if value.isascii() and value.isprintable() and "&" not in value and "<" not in value and ">" not in value:
        # Most are: the four replacements below cost several times as much.
        return value
    if not value.isascii() or value.encode().translate(None, _FIT_OCTETS):
        value = _UNFIT.sub("\ufffd", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def text_of_octets(octets: bytes) -> str:
    """A text in UTF-8 as `text` writes it, at half the cost; what is no UTF-8 becomes U+FFFD.

    Bound: linear; at most five characters for an octet.
    """
    if octets.translate(None, _FIT_OCTETS) or (not octets.isascii() and _MAY_BE_UNFIT in octets):
        return text(octets.decode("utf-8", "replace"))
    escaped = octets.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b"\r", b"&#13;")
    return escaped.decode("utf-8", "replace")


def attribute(value: str) -> str:
    """A value as it stands between an attribute's double quotes.

    Bound: linear; at most six characters for one.
    """
    return text(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def write(root: Element, prefixes: Mapping[str, str] | None = None, declaration: bool = True) -> bytes:
    """The document in UTF-8. `prefixes` has those of namespaces ({"DAV:": "D"}); another namespace gets one of its own. Without
    `declaration` the octets can stand within another document."""
    known = {**(prefixes or {}), _XML_SPACE: "xml"}
    free = (prefix for number in itertools.count() if (prefix := f"n{number}") not in known.values())
    declared: dict[str, str] = {}
    pieces: list[str] = []

    def name(clark: str) -> str:
        if not clark.startswith("{"):
            return clark
        space, _, local = clark[1:].partition("}")
        if space not in known:
            known[space] = next(free)
        declared[space] = known[space]
        return f"{known[space]}:{local}"

    def put(element: Element) -> None:
        tag = name(element.name)
        pieces.append(f"<{tag}")
        pieces.extend(f' {name(key)}="{attribute(value)}"' for key, value in element.attributes.items())
        if not element.children:
            pieces.append("/>")
            return
        pieces.append(">")
        for child in element.children:
            if isinstance(child, str):
                pieces.append(text(child))
            else:
                put(child)
        pieces.append(f"</{tag}>")

    put(root)
    declared.pop(_XML_SPACE, None)
    pieces[1:1] = [f' xmlns:{prefix}="{attribute(space)}"' for space, prefix in declared.items()]
    return ((DECLARATION if declaration else "") + "".join(pieces)).encode()
