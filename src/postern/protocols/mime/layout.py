"""The parts of a message as its reader sees them: what is shown, in which forms, and what is attached.

It is the same whether it is read from BODYSTRUCTURE or from the message (RFC 2046, RFC 2387, RFC 2183): each part has a number,
by which it is found again in the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from postern.protocols.mime.parameters import Parameters, parameter, parse_value
from postern.protocols.mime.rendered_values import Value, read_values
from postern.protocols.mime.structure import Part

MAX_NAME = 255
_MESSAGES = (b"rfc822", b"global")
_SHOWN = (b"plain", b"html", b"enriched")


@dataclass(slots=True)
class Node:
    """A part. `number` counts the parts as they come, from 0. `size` is in octets, as it is encoded. `part` is None where it was
    read from BODYSTRUCTURE."""

    number: int
    type: bytes
    subtype: bytes
    parameters: Parameters = ()
    content_id: bytes = b""
    description: bytes = b""
    encoding: bytes = b"7bit"
    size: int = 0
    disposition: bytes = b""
    disposition_parameters: Parameters = ()
    location: bytes = b""
    children: list[Node] = field(default_factory=list)
    part: Part | None = None

    @property
    def is_multipart(self) -> bool:
        return self.type == b"multipart"

    @property
    def is_message(self) -> bool:
        """Whether it is a message that is attached."""
        return self.type == b"message" and self.subtype in _MESSAGES

    @property
    def name(self) -> str:
        """The file name, without what is a path; "" for none (RFC 2183 section 2.3)."""
        told = parameter(self.disposition_parameters, b"filename") or parameter(self.parameters, b"name")
        cut = told.replace("\\", "/").rpartition("/")[2].strip()
        return "".join([letter for letter in cut if letter.isprintable()])[:MAX_NAME]

    @property
    def media(self) -> str:
        return f"{self.type.decode('latin-1')}/{self.subtype.decode('latin-1')}"

    @property
    def octets(self) -> int:
        """About as many octets as it has without its encoding."""
        return self.size * 3 // 4 if self.encoding == b"base64" else self.size

    @property
    def cid(self) -> str:
        """The Content-ID without brackets (RFC 2392)."""
        return self.content_id.decode("utf-8", "replace").strip().removeprefix("<").removesuffix(">")


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of what is shown, in its forms; at least one is there."""

    plain: Node | None
    html: Node | None


_ASCII: Parameters = ((b"charset", b"us-ascii"),)


@dataclass(slots=True)
class Layout:
    """The pieces that a message shows, and what is attached, in the order of the parts. `inline` are the numbers of those
    attachments that stand within what is shown. `others` are forms of the message that are neither, as a meeting."""

    shown: list[Shown] = field(default_factory=list)
    attached: list[Node] = field(default_factory=list)
    inline: set[int] = field(default_factory=set)
    others: list[Node] = field(default_factory=list)


def read_structure(rendered: bytes) -> Node:
    """Reads a BODYSTRUCTURE.

    Bound: linear in what was rendered.
    """
    numbers = iter(range(1 << 30))
    return _node(read_values(rendered), numbers)


def _node(values: list[Value], numbers: Iterator[int]) -> Node:
    number = next(numbers)
    if values and isinstance(values[0], list):
        children: list[Node] = []
        place = 0
        while place < len(values) and isinstance(child := values[place], list):
            children.append(_node(child, numbers))
            place += 1
        rest = values[place:] + [None] * 5
        node = Node(number, b"multipart", _octets(rest[0]), _parameters(rest[1]), children=_there(children))
        return _extended(node, rest[2:])
    values = values + [None] * 12
    size = values[6] if isinstance(values[6], int) else 0
    node = Node(
        number,
        _octets(values[0]) or b"text",
        _octets(values[1]) or b"plain",
        _parameters(values[2]),
        _octets(values[3]),
        _octets(values[4]),
        _octets(values[5]) or b"7bit",
        size,
    )
    behind = 7
    if node.type == b"text":
        behind = 8
    elif node.is_message:
        behind = 10
        if isinstance(inner := values[8], list):
            node.children.append(_node(inner, numbers))
    return _extended(node, values[behind + 1 :])


def _there(children: list[Node]) -> list[Node]:
    """The parts of a multipart. One that has none is rendered with an empty text; a part that looks like that is none, either."""
    if len(children) != 1:
        return children
    (only,) = children
    is_empty = not (only.size or only.content_id or only.description or only.disposition or only.location)
    is_text = (only.type, only.subtype, only.encoding) == (b"text", b"plain", b"7bit")
    return [] if is_empty and is_text and only.parameters in ((), _ASCII) else children


def _extended(node: Node, values: list[Value]) -> Node:
    """Puts in disposition, language and location."""
    if values and isinstance(told := values[0], list) and len(told) == 2:
        node.disposition, node.disposition_parameters = _octets(told[0]), _parameters(told[1])
    if len(values) > 2:
        node.location = _octets(values[2])
    return node


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _parameters(value: Value) -> Parameters:
    if not isinstance(value, list):
        return ()
    texts = [_octets(each) for each in value]
    return tuple(zip(texts[::2], texts[1::2], strict=False))


def of_part(root: Part) -> Node:
    """The nodes of a message that was scanned, numbered as those of its BODYSTRUCTURE.

    Bound: linear in the headers of the parts.
    """
    return _of_part(root, iter(range(1 << 30)))


def _of_part(part: Part, numbers: Iterator[int]) -> Node:
    named = part.fields.named
    disposition, parameters = parse_value(named.get(b"content-disposition", b""))
    node = Node(
        next(numbers),
        part.type,
        part.subtype,
        part.parameters,
        named.get(b"content-id", b""),
        named.get(b"content-description", b""),
        part.encoding,
        0 if part.type == b"multipart" else part.end - part.body,
        disposition,
        parameters if disposition else (),
        named.get(b"content-location", b""),
        part=part,
    )
    node.children = [_of_part(child, numbers) for child in part.children]
    if node.is_multipart:
        node.children = _there(node.children)
    if not part.children and (node.is_multipart or node.is_message):
        # The rendering has an empty part there.
        next(numbers)
    return node


def layout(root: Node) -> Layout:
    """The layout of a message. A part with a name, or that says that it is attached, is so; all that is neither text nor within
    a multipart/alternative is.

    Bound: linear in the parts.
    """
    told = Layout()
    # Each with whether it stands beside a root within multipart/related.
    waiting = [(root, False)]
    while waiting:
        node, is_related = waiting.pop()
        if not node.is_multipart:
            _leaf(told, node, is_related)
        elif node.subtype == b"alternative":
            _alternatives(told, node)
        else:
            related = node.subtype == b"related"
            pairs = [(child, is_related or (related and place > 0)) for place, child in enumerate(node.children)]
            waiting.extend(reversed(pairs))
    return told


def is_text(node: Node) -> bool:
    """Whether a part is shown where nothing around it says otherwise."""
    if node.type != b"text" or node.subtype not in _SHOWN or node.disposition == b"attachment":
        return False
    return not node.name or node.disposition == b"inline"


def _leaf(told: Layout, node: Node, is_related: bool) -> None:
    if is_text(node) and not is_related:
        is_html = node.subtype == b"html"
        told.shown.append(Shown(None, node) if is_html else Shown(node, None))
    else:
        _attach(told, node, is_related)


def _attach(told: Layout, node: Node, is_related: bool) -> None:
    told.attached.append(node)
    if node.disposition != b"attachment" and node.content_id and (is_related or node.disposition == b"inline"):
        told.inline.add(node.number)


def _alternatives(told: Layout, node: Node) -> None:
    """Takes the last text and the last HTML of the alternatives, of which the last is the best (RFC 2046 section 5.1.4). What is
    related to a form is attached."""
    plain: Node | None = None
    html: Node | None = None
    waiting = [(child, False) for child in reversed(node.children)]
    while waiting:
        child, is_related = waiting.pop()
        if child.is_multipart:
            is_inner = child.subtype != b"alternative"
            pairs = [(each, is_inner and place > 0) for place, each in enumerate(child.children)]
            waiting.extend(reversed(pairs))
        elif is_related or child.disposition == b"attachment":
            _attach(told, child, is_related)
        elif child.type == b"text" and child.subtype == b"html":
            html = child
        elif is_text(child):
            plain = child
        else:
            told.others.append(child)
    if plain is not None or html is not None:
        told.shown.append(Shown(plain, html))


def every_attachment(root: Node) -> Iterator[Node]:
    """The attachments of a message, and those of the messages among them.

    Bound: linear in the parts.
    """
    waiting = [root]
    while waiting:
        for node in layout(waiting.pop()).attached:
            yield node
            if node.is_message and node.children:
                waiting.append(node.children[0])


def has_attachments(root: Node) -> bool:
    """Whether something is attached beside what stands within the text (MS-OXCMSG section 2.2.1.2).

    Bound: linear in the parts.
    """
    told = layout(root)
    return len(told.attached) > len(told.inline)
