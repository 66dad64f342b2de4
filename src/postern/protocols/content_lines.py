"""Content lines, which iCalendar and vCard share: "NAME;PARAM=value:value", folded (RFC 5545 section 3.1, RFC 6350 section 3).

A document is read into a tree of components. Each line keeps its octets, so that a component that is written back differs only
in the lines that were changed. Nothing raises on input: what is out of order is reported as a defect, and read as well as it can
be. Text is decoded as UTF-8; octets that are not UTF-8 become lone surrogates (PEP 383), which `octets_of` turns back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from postern.protocols.folds import folded, unfolded

MAX_LINES = 400_000
"""Content lines of a document. A series with 10,000 exceptions has about 150,000."""
MAX_DEPTH = 16
"""Components within each other. iCalendar needs three: VCALENDAR, VEVENT, VALARM."""
MAX_DEFECTS = 100
"""Defects that are told of one document; those after them are only counted as one more."""
MAX_PARAMETERS = 256
"""Parameters of one line, and again values of one parameter, that are read."""

Parameters = Sequence[tuple[str, Sequence[str]]]

_LOGICAL = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+\n?+")
_SOFT_BREAK = re.compile(rb"=[ \t]*+\r?+\n")
_HEAD = re.compile(r'\s*+([^;:\s"]++)((?:[^":]++|"[^"]*+")*+):')
_LOOSE_HEAD = re.compile(r"\s*+([^;:\s\"]++)([^:]*+):")
_PARAMETER = re.compile(r';([^=;]*+)(?:=((?:[^";]++|"[^"]*+"?+)*+))?+')
_PARAMETER_VALUE = re.compile(r'"([^"]*+)"?+[^,]*+|([^,]++)|(?=,)')
_CARET = re.compile(r"\^([n'^])")
_ESCAPE = re.compile(r"\\([nN,;\\:\"])")
_UNTIL_COMMA = re.compile(r"(?:[^\\,]++|\\.?+)*+", re.DOTALL)
_UNTIL_SEMICOLON = re.compile(r"(?:[^\\;]++|\\.?+)*+", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Defect(NamedTuple):
    """A fault of a document, with the content line where it is, counted from 1. For example `Defect(3, "no colon")`."""

    line: int
    what: str


class Line:
    """A content line. `name` is in upper case, `group` is what stands before the dot in vCard ("item1"), `head` holds the
    parameters as they were written, and `raw` the octets with folding and line end."""

    __slots__ = ("_parameters", "group", "head", "name", "raw", "value")

    def __init__(self, name: str, head: str, value: str, raw: bytes, group: str = "") -> None:
        self.name = name
        self.head = head
        self.value = value
        self.raw = raw
        self.group = group
        self._parameters: list[tuple[str, list[str]]] | None = None if head else []

    @property
    def parameters(self) -> list[tuple[str, list[str]]]:
        """Names in upper case, each with its values, unquoted (RFC 6868 too). A word without "=" has no values (vCard 2.1)."""
        if self._parameters is None:
            self._parameters = read_parameters(self.head)
        return self._parameters

    def parameter(self, name: str) -> str:
        """The first value of the parameter; "" if there is none."""
        if self.head:
            for key, values in self.parameters:
                if key == name and values:
                    return values[0]
        return ""

    def parameter_values(self, name: str) -> list[str]:
        return [value for key, values in self.parameters if key == name for value in values]


@dataclass(slots=True, eq=False)
class Component:
    """Lines and components between BEGIN and END, which have the octets `begin` and `end`. `name` is in upper case."""

    name: str
    entries: list[Line | Component] = field(default_factory=list)
    begin: bytes = b""
    end: bytes = b""

    def lines(self, *names: str) -> Iterator[Line]:
        """The lines with one of these names; without names, all."""
        for entry in self.entries:
            if type(entry) is Line and (not names or entry.name in names):
                yield entry

    def first(self, name: str) -> Line | None:
        for entry in self.entries:
            if entry.name == name and type(entry) is Line:
                return entry
        return None

    def value(self, name: str) -> str:
        """The value of the first such line as it is written; "" if there is none."""
        line = self.first(name)
        return "" if line is None else line.value

    def components(self, *names: str) -> Iterator[Component]:
        for entry in self.entries:
            if type(entry) is Component and (not names or entry.name in names):
                yield entry

    def replace(self, name: str, line: Line | None) -> None:
        """Puts `line` in the place of the first line with this name, or at the end of the lines, and takes out the others. None
        takes out all."""
        kept: list[Line | Component] = []
        for entry in self.entries:
            if type(entry) is not Line or entry.name != name:
                kept.append(entry)
            elif line is not None:
                kept.append(line)
                line = None
        if line is not None:
            last = max((place for place, entry in enumerate(kept, 1) if type(entry) is Line), default=0)
            kept.insert(last, line)
        self.entries = kept

    def change(self, change: Callable[[Line], Line], *names: str) -> bool:
        """Puts what `change` makes of each line with one of these names in its place. Returns whether any is another line now."""
        is_changed = False
        for place, entry in enumerate(self.entries):
            if type(entry) is Line and entry.name in names and (made := change(entry)) is not entry:
                self.entries[place] = made
                is_changed = True
        return is_changed

    def octets(self) -> bytes:
        """The component as it is written: its lines' own octets. Line ends that are missing are added."""
        pieces = [_ended(self.begin or octets_of(f"BEGIN:{self.name}"))]
        for entry in self.entries:
            pieces.append(entry.octets() if isinstance(entry, Component) else _ended(entry.raw))
        pieces.append(_ended(self.end or octets_of(f"END:{self.name}")))
        return b"".join(pieces)

    def copy(self) -> Component:
        """A component whose entries can be changed without changing these. The lines are shared."""
        entries = [entry.copy() if type(entry) is Component else entry for entry in self.entries]
        return Component(self.name, entries, self.begin, self.end)


@dataclass(frozen=True, slots=True)
class Document:
    """The components that were read. `whole` is false where a bound ended the reading."""

    roots: list[Component]
    defects: list[Defect]
    whole: bool


def component(name: str, entries: Iterable[Line | Component] = ()) -> Component:
    """A new component."""
    return Component(name, list(entries), f"BEGIN:{name}\r\n".encode(), f"END:{name}\r\n".encode())


def line(name: str, value: str, parameters: Parameters = (), group: str = "") -> Line:
    """A new line. `value` is written as it is: text is escaped by the caller (`escaped`); control characters are left out."""
    head = "".join([_written_parameter(key, values) for key, values in parameters])
    value = _CONTROLS.sub("", value)
    text = f"{group}.{name}{head}:{value}" if group else f"{name}{head}:{value}"
    return Line(name.upper(), head, value, folded(octets_of(text)), group)


def with_parameters(entry: Line, values: Mapping[str, str]) -> Line:
    """The line with these parameters instead of its own of the same names; "" takes one out."""
    kept: list[tuple[str, Sequence[str]]] = [each for each in entry.parameters if each[0] not in values]
    kept += [(name, [value]) for name, value in values.items() if value]
    return line(entry.name, entry.value, kept, entry.group)


def _written_parameter(name: str, values: Sequence[str]) -> str:
    """One parameter, for example `;CN="Kim, Min-ji"`, with RFC 6868's carets for what quotes cannot hold."""
    if not values:
        return f";{name}"
    return f";{name}=" + ",".join(map(_quoted, values))


def _quoted(value: str) -> str:
    if "^" in value or '"' in value or "\n" in value:
        value = value.replace("^", "^^").replace('"', "^'").replace("\r\n", "\n").replace("\n", "^n")
    value = _CONTROLS.sub("", value)
    return f'"{value}"' if set(value) & set(",;:") else value


def octets_of(text: str) -> bytes:
    """The octets that a text was read from."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def unescaped(value: str) -> str:
    r"""A TEXT value as its reader sees it (RFC 5545 section 3.3.11): `\n`, `\,`, `\;` and `\\` are resolved, any other backslash
    stays.

    Bound: linear in the value, and not longer than it.
    """
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def escaped(text: str) -> str:
    """A text as it is written into a TEXT value."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def split(value: str, separator: str, most: int = 10_000) -> list[str]:
    """The parts of a value between separators ("," or ";") that no backslash stands before. They are still escaped. The part at
    `most` has all that is left.

    Bound: linear in the value; at most `most` parts.
    """
    if "\\" not in value:
        return value.split(separator, most - 1)
    parts: list[str] = []
    place = 0
    while len(parts) < most - 1:
        match = (_UNTIL_COMMA if separator == "," else _UNTIL_SEMICOLON).match(value, place)
        stop = match.end() if match is not None else len(value)
        parts.append(value[place:stop])
        if stop >= len(value):
            return parts
        place = stop + 1
    return [*parts, value[place:]]


def read_parameters(head: str) -> list[tuple[str, list[str]]]:
    """Reads what stands between a line's name and its colon.

    Bound: linear in the head; at most MAX_PARAMETERS parameters, and as many values of each.
    """
    parameters: list[tuple[str, list[str]]] = []
    place = 0
    while place < len(head) and len(parameters) < MAX_PARAMETERS:
        match = _PARAMETER.match(head, place)
        if match is None:
            break
        place = match.end()
        name = match[1].strip().upper()
        parameters.append((name, [] if match[2] is None else _parameter_values(match[2])))
    return parameters


def _caret(match: re.Match[str]) -> str:
    return {"n": "\n", "'": '"', "^": "^"}[match[1]]


def _parameter_values(text: str) -> list[str]:
    if '"' not in text and "," not in text:
        return [_CARET.sub(_caret, text)]
    values: list[str] = []
    place = 0
    while len(values) < MAX_PARAMETERS:
        match = _PARAMETER_VALUE.match(text, place)
        if match is None:
            break
        value = match[1] if match[1] is not None else match[2] or ""
        values.append(_CARET.sub(_caret, value))
        place = match.end() + 1
        if place > len(text):
            break
    return values


def read(octets: bytes) -> Document:
    """Reads a document: components within each other. Bare LF (or bare CR, where there is no LF) ends a line too; a line without
    a colon, lines outside of components, and BEGIN and END that do not fit are defects.

    Bound: linear in the octets; at most MAX_LINES lines, MAX_DEPTH levels and MAX_DEFECTS defects.
    """
    return _Reading().document(octets)


class _Reading:
    """Builds the tree of one document."""

    def __init__(self) -> None:
        self.roots: list[Component] = []
        self.defects: list[Defect] = []
        self.stack: list[Component] = []
        self.count = 0

    def document(self, octets: bytes) -> Document:
        if octets.startswith(b"\xef\xbb\xbf"):
            octets = octets[3:]
            self.defect("byte order mark")
        if b"\n" not in octets and b"\r" in octets:
            octets = octets.replace(b"\r", b"\n")
            self.defect("lines end with CR")
        elif octets.count(b"\n") != octets.count(b"\r\n"):
            self.defect("lines end with LF")
        whole = True
        for raw in _raw_lines(octets):
            self.count += 1
            if self.count > MAX_LINES or not self.take(raw):
                whole = False
                break
        if self.stack:
            self.defect(f"no END:{self.stack[-1].name[:32]}")
        return Document(self.roots, self.defects, whole)

    def defect(self, what: str) -> None:
        if len(self.defects) < MAX_DEFECTS:
            self.defects.append(Defect(self.count, what))

    def take(self, raw: bytes) -> bool:
        """Adds a line to the tree; false: too deep."""
        made = read_line(raw)
        if made is None:
            if raw.strip():  # blank lines are common, and no defect
                self.defect("no colon")
            made = Line("", "", "", raw)
            if not self.stack:
                return True
        name = made.name
        if name == "BEGIN":
            if len(self.stack) >= MAX_DEPTH:
                self.defect("too many components within each other")
                return False
            begun = Component(made.value.strip().upper(), begin=raw)
            (self.stack[-1].entries if self.stack else self.roots).append(begun)
            self.stack.append(begun)
        elif name == "END":
            self.close(made)
        elif self.stack:
            self.stack[-1].entries.append(made)
        else:
            self.defect("a line outside of components")
        return True

    def close(self, made: Line) -> None:
        name = made.value.strip().upper()
        if name not in [begun.name for begun in self.stack]:
            self.defect(f"END:{name[:32]} without BEGIN")
            return
        while self.stack:
            begun = self.stack.pop()
            if begun.name == name:
                begun.end = made.raw
                return
            self.defect(f"no END:{begun.name[:32]}")


def _raw_lines(octets: bytes) -> Iterator[bytes]:
    """The octets of each content line, with folding and line end. A line in quoted-printable goes on where "=" ends it, as vCard
    2.1 and vCalendar 1.0 have it."""
    parts: list[bytes] = []
    soft = b"QUOTED-PRINTABLE" in octets or b"quoted-printable" in octets or b"Quoted-Printable" in octets
    for match in _LOGICAL.finditer(octets):
        raw = match[0]
        if not raw:
            break
        if not soft:
            yield raw
            continue
        parts.append(raw)
        if raw.rstrip().endswith(b"=") and (len(parts) > 1 or b"QUOTED-PRINTABLE" in raw.partition(b":")[0].upper()):
            continue
        yield b"".join(parts)
        parts.clear()
    if parts:
        yield b"".join(parts)


def read_line(raw: bytes) -> Line | None:
    """Reads a content line from its octets; None: it has no colon or no name.

    Bound: linear in the octets.
    """
    plain = raw
    if b"\n" in raw[:-1]:
        if b"=" in raw and b"QUOTED-PRINTABLE" in raw.partition(b":")[0].upper():
            plain = _SOFT_BREAK.sub(b"", raw)
        plain = unfolded(plain)
    text = plain.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
    match = _HEAD.match(text) or _LOOSE_HEAD.match(text)
    if match is None:
        return None
    group, _, name = match[1].rpartition(".")
    return Line(name.upper(), match[2], text[match.end() :], raw, group)


def _ended(raw: bytes) -> bytes:
    return raw if raw.endswith(b"\n") else raw + b"\r\n"
