"""Worst cases of what reads and writes XML: protocols.xml, and the requests of Autodiscover."""

from __future__ import annotations

from contextlib import suppress

from postern.protocols import xml
from postern.services.autodiscover import pox, soap
from tests.bounds.growth import Cases, Work

P = "protocols.xml."
_BOUNDLESS = xml.Bounds(
    octets=1 << 30, depth=1 << 30, elements=1 << 30, attributes=1 << 30, name=1 << 30, value=1 << 30
)


def _read(data: bytes, bounds: xml.Bounds = _BOUNDLESS) -> Work:
    def work() -> None:
        with suppress(xml.XmlError):
            xml.read(data, bounds)

    return work


def _placed(data: bytes) -> Work:
    """Looks for the last element."""
    number = data.count(b"<b/>")
    return lambda: xml.position(data, number)


def _filled(size: int, before: bytes, piece: bytes, after: bytes) -> bytes:
    return before + piece * ((size - len(before) - len(after)) // len(piece)) + after


def _entities(size: int) -> bytes:
    """Each entity is ten of the one before; the last is in the text."""
    names = [b"<!ENTITY e%d '%s'>" % (number + 1, b"&e%d;" % number * 10) for number in range(9)]
    head = b"<!DOCTYPE a [<!ENTITY e0 '0123456789'>" + b"".join(names) + b"]><a>"
    return _filled(size, head, b"&e9;", b"</a>")


def _prefixes(size: int) -> bytes:
    """A long namespace, which each of many attributes is in."""
    attributes = b" ".join(b"n:a%d=''" % number for number in range(size // 24))
    return b"<a xmlns:n='" + b"x" * (size // 2) + b"'><b " + attributes + b"/></a>"


A = "services.autodiscover."
CASES: Cases = {
    A + "pox.read": lambda size: lambda: pox.read(_filled(min(size, pox.BOUNDS.octets), b"<a>", b"<b/>", b"</a>")),
    A + "soap.read": lambda size: lambda: soap.read(_filled(min(size, soap.BOUNDS.octets), b"<a>", b"<b/>", b"</a>")),
    P + "position": lambda size: _placed(_filled(size, b"<a>", b"<b/>\n", b"</a>")),
    P + "read: elements": lambda size: _read(_filled(size, b"<a>", b"<b/>", b"</a>")),
    P + "read: nesting": lambda size: _read(b"<a>" * (size // 7) + b"</a>" * (size // 7), xml.Bounds(octets=1 << 30)),
    P + "read: names": lambda size: _read(
        b"<a>" + b"".join(b"<b%d/>" % number for number in range(size // 12)) + b"</a>"
    ),
    P + "read: attributes": lambda size: _read(
        b"<a " + b" ".join(b"b%d=''" % number for number in range(size // 12)) + b"/>"
    ),
    P + "read: a long namespace": lambda size: _read(_prefixes(size), xml.Bounds(octets=1 << 30)),
    P + "read: namespaces": lambda size: _read(_filled(size, b"<a>", b"<b xmlns:c='d'/>", b"</a>")),
    P + "read: text": lambda size: _read(_filled(size, b"<a>", b"a&lt;<!-- -->", b"</a>")),
    P + "read: entities": lambda size: _read(_entities(size)),
    P + "read: comments before a document type": lambda size: _read(_filled(size, b"", b"<!-- -->", b"<!DOCTYPE a>")),
    P + "read: document types in text": lambda size: _read(_filled(size, b"<a><![CDATA[", b"<!DOCTYPE a>", b"]]></a>")),
    P + "text_of_octets": lambda size: lambda: xml.text_of_octets(b"&\r" * (size // 2)),
    P + "text_of_octets: marks": lambda size: lambda: xml.text_of_octets(b"\xef\xbf\0" * (size // 3)),
    P + "text": lambda size: lambda: xml.text("&\x00\r" * (size // 3)),
    P + "attribute": lambda size: lambda: xml.attribute('"\n\x00' * (size // 3)),
}
