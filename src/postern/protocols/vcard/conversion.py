"""Turns vCards of version 3.0 into 4.0 and back, as far as the versions say the same (RFC 2426, RFC 6350).

Lines that both versions read alike keep their octets. What a version has no word for keeps its name, or the X- name under which
address books of that version know it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable

from postern.protocols.content_lines import Component, Line, escaped, line
from postern.protocols.vcard.cards import BINARY, Card, encoding_of, types_of

_NAMES_IN_4 = {
    "X-ADDRESSBOOKSERVER-KIND": "KIND",
    "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER",
    "X-ANNIVERSARY": "ANNIVERSARY",
    "X-GENDER": "GENDER",
}
_NAMES_IN_3 = {new: old for old, new in _NAMES_IN_4.items()}
_DATES = frozenset({"BDAY", "ANNIVERSARY", "X-ANNIVERSARY", "DEATHDATE"})
_NOT_IN_4 = frozenset({"pref", "internet", "x400", "dom", "intl", "postal", "parcel"})
"""Types that version 4 has no word for, or says elsewhere."""
_NOT_IN_3 = frozenset(
    {"ALTID", "PID", "PREF", "SORT-AS", "MEDIATYPE", "CALSCALE", "LABEL", "GEO", "TZ", "TYPE", "VALUE"}
)
_SUBTYPES = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "gif": "gif", "pgp": "pgp-keys", "x509": "pkix-cert"}
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(T.*+)?+")
_NO_YEAR = re.compile(r"--(\d\d)-?(\d\d)")
_DATA = re.compile(r"data:([a-z]++)/([A-Za-z0-9.+-]++)(?:;(?!base64,)[^,;]++)*+;base64,", re.IGNORECASE)
_OMITTED_YEAR = "1604"
"""The year that Apple's address books write for none; it has a 29th of February."""


def converted(card: Card, version: str) -> Component:
    """The card in the version "3.0" or "4.0".

    Bound: linear in the card.
    """
    if card.version == version:
        return card.root
    convert = _to_4 if version == "4.0" else _to_3
    entries: list[Line | Component] = [line("VERSION", version)]
    preferred = _preferred(card.root.lines()) if version == "3.0" else set()
    alternatives: set[tuple[str, str]] = set()
    for entry in card.root.entries:
        if isinstance(entry, Component) or not entry.name:
            continue
        alternative = (entry.name, entry.parameter("ALTID"))
        if version == "3.0" and alternative[1] and alternative in alternatives:
            continue
        alternatives.add(alternative)
        if entry.name != "VERSION":
            entries += convert(card, entry, id(entry) in preferred)
    return Component("VCARD", [*entries, *_required(card, version)], card.root.begin, card.root.end)


def _required(card: Card, version: str) -> list[Line]:
    """FN, and in version 3 N, where the card has none."""
    missing = []
    name, structured = card.text("FN"), card.root.first("N")
    if not name:
        parts = card.fields(structured) if structured is not None else []
        name = " ".join([part for part in (*parts[1:2], *parts[:1]) if part]) or card.text("ORG") or card.text("EMAIL")
        missing.append(line("FN", escaped(name)))
    if version == "3.0" and structured is None:
        missing.append(line("N", f"{escaped(name)};;;;"))
    return missing


def _with(entry: Line, value: str, parameters: Iterable[tuple[str, list[str]]], name: str = "") -> Line:
    return line(name or entry.name, value, list(parameters), entry.group)


# --- to version 4


def _to_4(card: Card, entry: Line, _: bool) -> list[Line]:
    name = _NAMES_IN_4.get(entry.name, entry.name)
    if name == "PROFILE":
        return []
    if name in BINARY and encoding_of(entry) == "BASE64":
        return [_data_line(entry)]
    value = card.value(entry).replace("\r\n", "\n").replace("\n", "\\n")  # lines that were quoted-printable
    if name in _DATES or name == "REV":
        return [_date_line_4(entry, name, value)]
    if name == "GEO" and ";" in value:
        return [_with(entry, "geo:" + value.replace(";", ",", 1), _parameters_4(entry))]
    if name == "UID" and ":" not in value:
        return [_with(entry, value, [("VALUE", ["text"])])]
    if name == "LABEL":
        return [_with(entry, value, _parameters_4(entry), "X-LABEL")]
    if not entry.head and name == entry.name:
        return [entry]
    return [_with(entry, value, _parameters_4(entry), name)]


def _parameters_4(entry: Line) -> list[tuple[str, list[str]]]:
    """The parameters but those that only older versions have; types that are told several times are one parameter."""
    kept = [
        (name, values)
        for name, values in entry.parameters
        if values and name not in ("TYPE", "CHARSET", "ENCODING", "CONTEXT", "X-APPLE-OMIT-YEAR")
    ]
    types = types_of(entry)
    if "pref" in types and not entry.parameter("PREF"):
        kept.insert(0, ("PREF", ["1"]))
    types = [word for word in types if word not in _NOT_IN_4]
    return [("TYPE", types), *kept] if types else kept


def _data_line(entry: Line) -> Line:
    kind = (types_of(entry) or [""])[0]
    data = "".join(entry.value.split())
    subtype = _SUBTYPES.get(kind, "octet-stream" if entry.name == "KEY" else kind or "jpeg")
    return _with(entry, f"data:{BINARY[entry.name]}/{_word(subtype)};base64,{data}", [])


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9.+-]", "", text.lower()) or "octet-stream"


def _date_line_4(entry: Line, name: str, value: str) -> Line:
    match = _DATE.fullmatch(value.strip())
    if match is None:
        return _with(entry, value, _parameters_4(entry), name)
    year, month, day, time = match.groups()
    if entry.parameter("X-APPLE-OMIT-YEAR") == year:
        value = f"--{month}{day}"
    else:
        value = f"{year}{month}{day}" + (time or "").replace(":", "")
    return _with(entry, value, [], name)


# --- to version 3


def _to_3(card: Card, entry: Line, preferred: bool) -> list[Line]:
    name = _NAMES_IN_3.get(entry.name, entry.name)
    if name in ("CLIENTPIDMAP", "XML"):
        return []
    if entry.name in BINARY:
        return [_binary_line(entry)]
    value = card.value(entry)
    if entry.name in _DATES:
        return [_date_line_3(entry, name, value)]
    if name == "GEO" and value[:4].lower() == "geo:":
        latitude, _, longitude = value[4:].partition(",")
        return [_with(entry, f"{latitude};{longitude.partition(';')[0]}", [])]
    if name == "TEL" and value[:4].lower() == "tel:":
        return [_with(entry, escaped(value[4:].partition(";")[0]), _parameters_3(entry, preferred))]
    if not entry.head and name == entry.name:
        return [entry]
    made = [_with(entry, value, _parameters_3(entry, preferred), name)]
    if name == "ADR" and entry.parameter("LABEL"):
        made.append(_with(entry, escaped(entry.parameter("LABEL")), _parameters_3(entry, False), "LABEL"))
    return made


def _parameters_3(entry: Line, preferred: bool) -> list[tuple[str, list[str]]]:
    types = [word for word in types_of(entry) if word != "pref"]
    types += ["pref"] if preferred else []
    kept = [(name, values) for name, values in entry.parameters if name not in _NOT_IN_3]
    return [("TYPE", types), *kept] if types else kept


def _preferred(lines: Iterable[Line]) -> set[int]:
    """The line of each property that is preferred most, and the first of those that are preferred alike."""
    best: dict[str, tuple[int, Line]] = {}
    for entry in lines:
        digits = entry.parameter("PREF") if entry.head else ""
        if digits.isascii() and digits.isdigit() and len(digits) < 4:
            rated = int(digits), entry
            best[entry.name] = min(best.get(entry.name, rated), rated, key=lambda each: each[0])
    return {id(chosen) for _, chosen in best.values()}


def _binary_line(entry: Line) -> Line:
    match = _DATA.match(entry.value)
    if match is None:
        return _with(entry, entry.value, [("VALUE", ["uri"])])
    data = entry.value[match.end() :]
    if not _is_base64(data):
        return _with(entry, entry.value, [("VALUE", ["uri"])])
    return _with(entry, data, [("ENCODING", ["b"]), ("TYPE", [match[2].upper()])])


def _is_base64(data: str) -> bool:
    try:
        binascii.a2b_base64(data.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        return False
    return True


def _date_line_3(entry: Line, name: str, value: str) -> Line:
    value = value.strip()
    match = _NO_YEAR.fullmatch(value)
    if match is not None:
        shown = f"{_OMITTED_YEAR}-{match[1]}-{match[2]}"
        return _with(entry, shown, [("X-APPLE-OMIT-YEAR", [_OMITTED_YEAR])], name)
    match = _DATE.fullmatch(value)
    if match is None:
        return _with(entry, value, _parameters_3(entry, False), name)
    return _with(entry, f"{match[1]}-{match[2]}-{match[3]}{match[4] or ''}", [], name)
