"""User configurations: small objects by name that a program keeps with a folder (MS-OXWSUSRCFG section 2.2.4)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import NamedTuple

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import t, value
from postern.protocols.ews.times import read_time

MAX_ENTRIES = 1_000
"""Entries of a dictionary, and values of one entry."""
MAX_TEXT = 65_536
"""Characters of a value."""
MAX_OCTETS = 262_144
"""Octets of the XML, and of the binary data, of one configuration. What is kept of all of them is bounded by the folder's bag."""
MAX_NAME = 200
"""Octets of a name in UTF-8."""
_NUMBERS = {
    "Byte": (0, 1 << 8),
    "Integer32": (-(1 << 31), 1 << 31),
    "UnsignedInteger32": (0, 1 << 32),
    "Integer64": (-(1 << 63), 1 << 63),
    "UnsignedInteger64": (0, 1 << 64),
}
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class Entry(NamedTuple):
    """A key or a value of a dictionary: the name of its type (MS-OXWSUSRCFG section 2.2.5.1), and its texts; without a type it is
    nothing (xsi:nil)."""

    type: str
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """The parts of a configuration; None for one that it does not have."""

    dictionary: tuple[tuple[Entry, Entry], ...] | None = None
    xml_data: bytes | None = None
    binary_data: bytes | None = None

    def changed(self, others: Configuration) -> Configuration:
        """The configuration with the parts that `others` has."""
        return Configuration(
            self.dictionary if others.dictionary is None else others.dictionary,
            self.xml_data if others.xml_data is None else others.xml_data,
            self.binary_data if others.binary_data is None else others.binary_data,
        )


def read_name(named: xml.Element | None) -> str:
    """Reads the name in a UserConfigurationName. Raises EwsError ErrorInvalidRequest.

    Bound: linear in the name.
    """
    name = named.attributes.get("Name", "") if named is not None else ""
    if not name or "\0" in name or len(name.encode("utf-8", "replace")) > MAX_NAME:
        raise EwsError(Code.INVALID_REQUEST, f"A configuration has a name of 1 to {MAX_NAME} octets.")
    return name


def read_configuration(element: xml.Element) -> Configuration:
    """Reads the parts in a UserConfiguration. Raises EwsError: ErrorInvalidValueForProperty, ErrorDataSizeLimitExceeded.

    Bound: linear in the element; at most MAX_ENTRIES entries, MAX_TEXT characters of a value and MAX_OCTETS octets of data.
    """
    dictionary = element.find(t("Dictionary"))
    entries = dictionary.find_all(t("DictionaryEntry")) if dictionary is not None else []
    if len(entries) > MAX_ENTRIES:
        raise EwsError(Code.DATA_SIZE_LIMIT_EXCEEDED)
    read = tuple((_entry(each.find(t("DictionaryKey"))), _entry(each.find(t("DictionaryValue")))) for each in entries)
    keys = [key for key, _ in read]
    if any(not key.type for key in keys) or len(set(keys)) != len(keys):
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
    return Configuration(
        read if dictionary is not None else None,
        _data(element.find(t("XmlData"))),
        _data(element.find(t("BinaryData"))),
    )


def _entry(element: xml.Element | None) -> Entry:
    if element is None or element.attributes.get(_NIL, "") in ("true", "1"):
        return Entry("")
    type_ = element.text_of(t("Type"))
    texts = tuple(each.text for each in element.find_all(t("Value")))
    if len(texts) > MAX_ENTRIES or any(len(text) > MAX_TEXT for text in texts):
        raise EwsError(Code.DATA_SIZE_LIMIT_EXCEEDED)
    if (type_ != "StringArray" and len(texts) != 1) or not all(_is_valid(type_, text) for text in texts):
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
    if type_ == "Boolean":
        # Clients write "True", and read "true" alone.
        texts = ("true" if texts[0].strip().lower() in ("true", "1") else "false",)
    return Entry(type_, texts)


def _is_valid(type_: str, text: str) -> bool:
    if type_ in ("String", "StringArray"):
        return True
    if type_ == "Boolean":
        return text.strip().lower() in ("true", "false", "0", "1")
    try:
        if type_ == "DateTime":
            read_time(text)
            return True
        if type_ == "ByteArray":
            base64.b64decode(text, validate=True)
            return True
        first, end = _NUMBERS[type_]
        return len(text) <= 24 and first <= int(text) < end
    except (EwsError, KeyError, ValueError, binascii.Error):
        return False


def _data(element: xml.Element | None) -> bytes | None:
    if element is None:
        return None
    text = "".join(element.text.split())
    if len(text) > MAX_OCTETS * 4 // 3 + 4:
        raise EwsError(Code.DATA_SIZE_LIMIT_EXCEEDED)
    try:
        octets = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY) from None
    if len(octets) > MAX_OCTETS:
        raise EwsError(Code.DATA_SIZE_LIMIT_EXCEEDED)
    return octets


def markup(configuration: Configuration, parts: frozenset[str]) -> str:
    """The elements of these parts ("Dictionary", "XmlData", "BinaryData"), in the order of UserConfigurationType."""
    pieces = []
    if "Dictionary" in parts and configuration.dictionary is not None:
        entries = "".join([_pair(key, each) for key, each in configuration.dictionary])
        pieces.append(f"<t:Dictionary>{entries}</t:Dictionary>" if entries else "<t:Dictionary/>")
    for name, octets in (("XmlData", configuration.xml_data), ("BinaryData", configuration.binary_data)):
        if name in parts and octets is not None:
            pieces.append(value(f"t:{name}", base64.b64encode(octets).decode("ascii")))
    return "".join(pieces)


def _pair(key: Entry, each: Entry) -> str:
    return f"<t:DictionaryEntry>{_object('DictionaryKey', key)}{_object('DictionaryValue', each)}</t:DictionaryEntry>"


def _object(name: str, entry: Entry) -> str:
    if not entry.type:
        return f'<t:{name} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
    texts = "".join([value("t:Value", text) for text in entry.texts])
    return f"<t:{name}><t:Type>{entry.type}</t:Type>{texts}</t:{name}>"
