"""The tree of a message's parts (RFC 2046) and its rendering as BODYSTRUCTURE and BODY (RFC 9051 section 7.5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from postern.protocols.mime.envelope import render_envelope
from postern.protocols.mime.grammar import nstring, string
from postern.protocols.mime.header import Fields, header_end, parse_fields
from postern.protocols.mime.parameters import Parameters, parse_value

MAX_DEPTH = 64
MAX_PARTS = 4096
_MAX_BOUNDARY = 1000  # section 5.1.1 says 70; programs write more

# What the grammar wants in a multipart without parts and in a message that is not looked into.
_EMPTY = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'
_EMPTY_PARTS = (b"(%b NIL NIL NIL NIL)" % _EMPTY, b"(%b)" % _EMPTY)
_EMPTY_ENVELOPE = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


@dataclass(slots=True)
class Part:
    """A part of the content between these offsets: its header from `start`, its body from `body` to `end`.

    `children` are a multipart's parts; a message/rfc822's only child is the message in it.
    """

    start: int
    body: int
    end: int
    fields: Fields
    type: bytes
    subtype: bytes
    parameters: Parameters
    children: list[Part] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """Whether it is a multipart. If no boundary was found it has no children, and is rendered with one empty part."""
        return self.type == b"multipart"

    @property
    def is_message(self) -> bool:
        return self.type == b"message" and bool(self.children)

    @property
    def encoding(self) -> bytes:
        value = self.fields.named.get(b"content-transfer-encoding")
        if value is None:
            return b"7bit"
        encoding = parse_value(value)[0]
        return encoding if encoding else b"7bit"


@dataclass(frozen=True, slots=True)
class _Delimiter:
    """A delimiter line, which begins at `line`: the part before it ends at `before`, the next begins at `after`. `level`
    is that of its multipart."""

    before: int
    line: int
    after: int
    level: int
    closing: bool


class _Scan:
    """One pass over one content. It counts the parts, and knows the boundaries of the multiparts that are open."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.parts = 0
        self._open: list[bytes] = []
        self._found: list[int] = []
        """The next place of each open boundary; -1 where it is not known."""
        self._searched: list[int] = []
        """The place up to which each boundary was searched."""

    def part(self, start: int, depth: int, default: tuple[bytes, bytes]) -> tuple[Part, _Delimiter | None]:
        """Reads the part that begins here. Returns also the delimiter line that ends it; None if the end of the content does."""
        self.parts += 1
        delimiter = self._next(start - 1)
        end = self._end(start, delimiter)
        body = header_end(self.content, start, end)
        fields = parse_fields(self.content, start, body)
        type_, subtype, parameters = _content_type(fields.named.get(b"content-type"), default)
        part = Part(start, body, end, fields, type_, subtype, parameters)
        if depth >= MAX_DEPTH:
            return part, delimiter
        if type_ == b"multipart":
            boundary = next((value for key, value in parameters if key == b"boundary"), b"")[:_MAX_BOUNDARY]
            if boundary:
                # The empty line may be the beginning of a delimiter line right behind it.
                part.body = header_end(self.content, start, end if delimiter is None else delimiter.line)
                self._open.append(b"\n--" + boundary)
                self._found.append(-1)
                self._searched.append(0)
                delimiter = self._divide(part, depth)
        elif type_ == b"message" and self.parts < MAX_PARTS and _is_open(part):
            child, delimiter = self.part(body, depth + 1, _TEXT)
            part.children.append(child)
            part.end = child.end
        return part, delimiter

    def _divide(self, part: Part, depth: int) -> _Delimiter | None:
        """Reads the parts of the multipart that the last open boundary belongs to. Returns the delimiter line of another that
        ends it."""
        default = _MESSAGE if part.subtype == b"digest" else _TEXT
        start = part.body
        level = len(self._open) - 1
        delimiter = self._next(part.body - 1)
        while delimiter is not None and delimiter.level == level and not delimiter.closing and self.parts < MAX_PARTS:
            child, delimiter = self.part(delimiter.after, depth + 1, default)
            part.children.append(child)
        self._open.pop()
        self._found.pop()
        self._searched.pop()
        if delimiter is not None and delimiter.level == level:
            # The text behind the closing line, up to a delimiter of the multipart around this one, is not shown.
            start, delimiter = delimiter.after, self._next(delimiter.after - 1)
        part.end = self._end(start, delimiter)
        return delimiter

    def _end(self, start: int, delimiter: _Delimiter | None) -> int:
        return len(self.content) if delimiter is None else max(start, delimiter.before)

    def _next(self, place: int) -> _Delimiter | None:
        """The first delimiter line from here on of any open multipart.

        RFC 2046 section 5.1.2: "it is sufficient that the boundary appear in its entirety following the CRLF". Where several
        boundaries begin alike the longest counts, of the same ones the innermost: a part within may use its parent's.
        """
        content, end = self.content, len(self.content)
        best, at = -1, end
        for level, boundary in enumerate(self._open):
            position = self._found[level]
            if position < place:
                # No further than the delimiter of a multipart around it, which ends it: else each of many siblings would look
                # through all that is behind them.
                start = max(place, self._searched[level])
                position = content.find(boundary, start, at + len(boundary))
                self._found[level], self._searched[level] = position, max(start, at + 1) if position < 0 else position
            if 0 <= position < at or (position == at < end and len(boundary) >= len(self._open[best])):
                best, at = level, position
        if best < 0:
            return None
        behind = at + len(self._open[best])
        line_end = content.find(b"\n", behind)
        # The line break before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
        before = at - 1 if at and content[at - 1] == 13 else at
        closing = content.startswith(b"--", behind)
        return _Delimiter(before, at + 1, end if line_end < 0 else line_end + 1, best, closing)


_TEXT = (b"text", b"plain")
_MESSAGE = (b"message", b"rfc822")
_MESSAGES = (b"rfc822", b"global")
_IDENTITY = (b"7bit", b"8bit", b"binary")


def _is_open(part: Part) -> bool:
    """Whether the message in a part is read. One that is encoded is not (RFC 2046 section 5.2.1 forbids it)."""
    return part.subtype in _MESSAGES and part.encoding in _IDENTITY


def scan(content: bytes) -> Part:
    """Reads the whole message as a part.

    Bound: linear in the content for each of the 64 levels that multiparts may nest; at most 4,096 parts.
    """
    return _Scan(content).part(0, 0, _TEXT)[0]


def _content_type(value: bytes | None, default: tuple[bytes, bytes]) -> tuple[bytes, bytes, Parameters]:
    if value is None:
        return (*default, ())
    kind, parameters = parse_value(value)
    type_, _, subtype = kind.partition(b"/")
    type_, subtype = type_.strip(), subtype.strip()
    if not type_ or not subtype:
        # RFC 2045 section 5.2: a syntactically invalid field is as good as none.
        return b"text", b"plain", ()
    return type_, subtype, parameters


def render_structure(content: bytes, part: Part) -> tuple[bytes, bytes]:
    """Renders BODYSTRUCTURE, and BODY, which lacks the extension data.

    Bound: linear in the headers, for each level of nesting.
    """
    if part.type == b"multipart":
        rendered = [render_structure(content, child) for child in part.children] or [_EMPTY_PARTS]
        subtype = string(part.subtype)
        full = b"(%b %b %b %b)" % (
            b"".join([pair[0] for pair in rendered]),
            subtype,
            _parameters(part.parameters),
            _extension(part.fields),
        )
        return full, b"(%b %b)" % (b"".join([pair[1] for pair in rendered]), subtype)
    named = part.fields.named
    head = b"%b %b %b %b %b %b %d" % (
        string(part.type),
        string(part.subtype),
        _parameters(_with_charset(part)),
        nstring(named.get(b"content-id")),
        nstring(named.get(b"content-description")),
        string(part.encoding),
        part.end - part.body,
    )
    full = brief = head
    if part.type == b"text":
        full = brief = b"%b %d" % (head, content.count(b"\n", part.body, part.end))
    elif part.type == b"message" and part.subtype in _MESSAGES:
        envelope, inside = _EMPTY_ENVELOPE, _EMPTY_PARTS
        if part.children:
            envelope = render_envelope(part.children[0].fields)
            inside = render_structure(content, part.children[0])
        lines = content.count(b"\n", part.body, part.end)
        full, brief = [b"%b %b %b %d" % (head, envelope, inner, lines) for inner in inside]
    return b"(%b %b %b)" % (full, nstring(named.get(b"content-md5")), _extension(part.fields)), b"(%b)" % brief


def _with_charset(part: Part) -> Parameters:
    """The parameters of a part; text without a charset gets US-ASCII (RFC 2045 section 5.2)."""
    if part.type != b"text" or any(key in (b"charset", b"charset*") for key, _ in part.parameters):
        return part.parameters
    return (*part.parameters, (b"charset", b"us-ascii"))


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join([b"%b %b" % (string(key), string(value)) for key, value in parameters])


def _extension(fields: Fields) -> bytes:
    """Renders disposition, language and location."""
    named = fields.named
    disposition = named.get(b"content-disposition")
    rendered = b"NIL"
    if disposition:
        kind, parameters = parse_value(disposition)
        if kind:
            rendered = b"(%b %b)" % (string(kind), _parameters(parameters))
    language = named.get(b"content-language")
    tongue = b"NIL"
    if language:
        tags = [string(tag) for tag in (word.strip() for word in language.split(b",")) if tag]
        tongue = b"(%b)" % b" ".join(tags) if tags else b"NIL"
    return b"%b %b %b" % (rendered, tongue, nstring(named.get(b"content-location")))
