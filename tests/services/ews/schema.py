"""Checks answers of Exchange Web Services against the table of their schema.

Types that requests have too stand in the table of requests (`protocols.ews.schema` says how it is written), and those that only
answers have in `answers.tsv`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from postern.protocols.ews.names import MESSAGES, SOAP, TYPES
from postern.protocols.ews.schema import Kind, Place, Schema, lines_of_requests
from postern.protocols.ews.versions import NEWEST, Version, version_of

TABLE = Path(__file__).with_name("answers.tsv")
MOST = 20
"""Faults of one answer that are told."""
_PREFIXES = {TYPES: "t:", MESSAGES: "m:"}
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_DIGITS = re.compile(r"[+-]?\d+")
_BASIC = {
    "xs:boolean": re.compile(r"true|false|0|1"),
    "xs:dateTime": re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
    "xs:date": re.compile(r"-?\d{4,}-\d\d-\d\d(Z|[+-]\d\d:\d\d)?"),
    "xs:time": re.compile(r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
    "xs:duration": re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
    "xs:base64Binary": re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*"),
    "xs:language": re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*"),
}
_SIZES = {"xs:int": 31, "xs:long": 63, "xs:short": 15, "xs:byte": 7}
_UNSIGNED = {"xs:unsignedInt": 32, "xs:unsignedShort": 16, "xs:unsignedByte": 8, "xs:nonNegativeInteger": 64}


@cache
def schema() -> Schema:
    with TABLE.open() as lines:
        return Schema([*lines_of_requests(), *lines])


def faults_of(document: bytes, version: Version = NEWEST) -> list[str]:
    """Says what an answer to a request of this version has that its schema has not; a fault of SOAP is not looked at."""
    root = ElementTree.fromstring(document)
    info = root.find(f"{{{SOAP}}}Header/{{{TYPES}}}ServerVersionInfo")
    body = root.find(f"{{{SOAP}}}Body")
    if info is None or version_of(info.attrib["Version"]) is not NEWEST or body is None or len(body) != 1:
        return ["the envelope does not name the newest version, or has not one element in its body"]
    element = body[0]
    if element.tag == f"{{{SOAP}}}Fault":
        return []
    place = schema().roots.get(_name(element.tag))
    if place is None:
        return [f"{_name(element.tag)} is not in the table"]
    if place.since > version:
        return [f"{place.name} came with {place.since.label}, and the answer is of {version.label}"]
    checker = _Checker(version)
    checker.element(element, place.type, place.name)
    return checker.faults[:MOST]


class _Checker:
    def __init__(self, version: Version = NEWEST) -> None:
        self.version = version
        self.faults: list[str] = []

    def element(self, element: ElementTree.Element, type_name: str, where: str) -> None:
        named = element.get(f"{_INSTANCE}type")
        if named is not None:
            concrete = named.rpartition(":")[2]
            if not schema().extends(concrete, type_name):
                self.faults.append(f"{where}: xsi:type {named} is no {type_name}")
                return
            type_name = concrete
        if type_name == "any":
            return
        if element.get(f"{_INSTANCE}nil") == "true":
            if len(element) or element.text:
                self.faults.append(f"{where} is nil, and has something in it")
            return
        chain = schema().chain(type_name)
        if not chain or chain[-1].is_text:
            self._attributes(element, [], where)
            if len(element):
                self.faults.append(f"{where}: {_name(element[0].tag)} is in a text")
            self.text(element.text or "", type_name, where)
            return
        self._attributes(element, chain, where)
        if chain[-1].form == "text":
            self.text(element.text or "", chain[0].base, where)
        else:
            self._elements(element, chain, where)

    def _attributes(self, element: ElementTree.Element, chain: list[Kind], where: str) -> None:
        known = {name: place for kind in chain for name, place in kind.attributes.items()}
        for name, text in element.attrib.items():
            if name.startswith(_INSTANCE):
                continue
            place = known.get(name)
            if place is None:
                self.faults.append(f"{where}: no attribute {name}")
            else:
                self._since(place, f"{where}@{name}")
                self.text(text, place.type, f"{where}@{name}")
        for name, place in known.items():
            if place.is_required and name not in element.attrib:
                self.faults.append(f"{where}: the attribute {name} is missing")

    def _elements(self, element: ElementTree.Element, chain: list[Kind], where: str) -> None:
        places = [((depth, place.at), place) for depth, kind in enumerate(chain) for place in kind.elements]
        by_name: dict[str, list[tuple[tuple[int, int], Place]]] = {}
        for at, place in places:
            by_name.setdefault(place.name, []).append((at, place))
        if (element.text or "").strip() and places:
            self.faults.append(f"{where}: has a text beside elements")
        last: tuple[int, int] = (0, 0)
        taken: set[tuple[int, int]] = set()
        for child in element:
            name = _name(child.tag)
            known = by_name.get(name)
            if known is None:
                if "*" not in by_name:
                    self.faults.append(f"{where}: no element {name}")
                continue
            at, place = next(((at, place) for at, place in known if at >= last), known[-1])
            if at < last:
                self.faults.append(f"{where}: {name} is too late")
            elif at in taken and not place.repeats:
                self.faults.append(f"{where}: {name} is there again")
            last = max(at, last)
            taken.add(at)
            self._since(place, f"{where}/{name}")
            self.element(child, place.type, f"{where}/{name}")
        for at, place in places:
            if element.get("ResponseClass") == "Error":
                break  # what could not be done has nothing to tell
            if place.is_required and at not in taken and place.since <= self.version:
                self.faults.append(f"{where}: {place.name} is missing")

    def _since(self, place: Place, where: str) -> None:
        if place.since > self.version:
            self.faults.append(f"{where} came with {place.since.label}")

    def text(self, text: str, type_name: str, where: str) -> None:
        if not self._fits(text, type_name):
            self.faults.append(f"{where}: {text[:80]!r} is no {type_name}")

    def _fits(self, text: str, type_name: str) -> bool:
        kind = schema().kinds.get(type_name)
        if kind is None:
            return _is_basic(text, type_name)
        if kind.form == "list":
            return all(self._fits(part, kind.members[0]) for part in text.split())
        if kind.form == "union":
            return any(self._fits(text, member) for member in kind.members)
        if kind.values:
            # The documents give codes without their versions.
            return text in kind.values and (kind.values[text] <= self.version or type_name == "ResponseCodeType")
        if kind.patterns and not any(re.fullmatch(pattern, text) for pattern in kind.patterns):
            return False
        return self._fits(text, kind.base)


def _is_basic(text: str, type_name: str) -> bool:
    if type_name in _SIZES:
        bits = _SIZES[type_name]
        return _DIGITS.fullmatch(text) is not None and -(1 << bits) <= int(text) < 1 << bits
    if type_name in _UNSIGNED:
        return _DIGITS.fullmatch(text) is not None and 0 <= int(text) < 1 << _UNSIGNED[type_name]
    pattern = _BASIC.get(type_name)
    return pattern is None or pattern.fullmatch(text) is not None


def _name(tag: str) -> str:
    space, _, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    return _PREFIXES.get(space, f"{{{space}}}") + local
