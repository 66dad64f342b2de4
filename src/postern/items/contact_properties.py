"""The properties of contacts and their places in vCard (MS-OXOCNTC section 2.2.1, MS-OXVCARD section 2.1.3).

Cards of version 3 and 4 are read alike and keep their version. Telephone numbers, postal addresses and pages belong to a slot by
their TYPE: the second number of the slot "work" is PidTagBusiness2TelephoneNumber.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from postern.items.calendar_properties import KEYWORDS, MAX_VALUES, SENSITIVITY, number_of, word_line
from postern.items.contact import Contact, preference_of
from postern.items.properties import (
    ADDRESS,
    COMMON,
    IM_ADDRESSES,
    LANGUAGE,
    Mapped,
    Property,
    PropertyMap,
    Type,
    Value,
    follows,
    in_bag,
    named,
    tagged,
)
from postern.items.text import readable
from postern.protocols.content_lines import Line, Parameters, escaped, line, split, unescaped
from postern.protocols.ical.zones import moment, seconds
from postern.protocols.vcard.cards import types_of

_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T.*+)?+")
_GENDERS = ("", "F", "M")
_ENCODED = frozenset({"VALUE", "ENCODING", "CHARSET", "QUOTED-PRINTABLE"})
"""Parameters that say how a value is written, and are wrong beside another. vCard 2.1 has the last one without a name."""
Entry = Mapped[Contact]
Access = tuple[Callable[[Contact], Value | None], Callable[[Contact, Value | None], None]]
"""The functions that read and write a property."""


def _text_of(contact: Contact, entry: Line) -> str:
    return readable(unescaped(contact.card.value(entry))).strip()


def _lines(contact: Contact, *names: str) -> Iterator[Line]:
    """The lines with one of these names that say something."""
    return (entry for entry in contact.card.root.lines(*names) if _text_of(contact, entry))


def _first(contact: Contact, *names: str) -> Line | None:
    return next(_lines(contact, *names), None)


def _kept(entry: Line) -> list[tuple[str, list[str]]]:
    """The parameters of a line that gets another value."""
    return [each for each in entry.parameters if each[0] not in _ENCODED]


def _put(contact: Contact, old: Line | None, new: Line | None) -> None:
    """Puts a line in the place of another, or behind all, or takes it out."""
    entries = contact.card.root.entries
    if old is None and new is not None:
        contact.card.root.entries = [*entries, new]
    elif old is not None:
        replaced = [new if entry is old else entry for entry in entries]
        contact.card.root.entries = [entry for entry in replaced if entry is not None]


def _text(property_: Property, *names: str) -> Entry:
    """A property that is the text of a line. Several names: the first is written, all are read."""

    def read(contact: Contact) -> Value | None:
        entry = _first(contact, *names)
        return _text_of(contact, entry) if entry is not None else None

    def write(contact: Contact, value: Value | None) -> None:
        old = _first(contact, *names)
        name = old.name if old is not None else names[0]
        _put(contact, old, line(name, escaped(str(value))) if value else None)

    return Mapped(property_, names[0], read, write)


def _field(property_: Property, name: str, place: int, count: int) -> Entry:
    """A property that is a part of a structured line."""

    def find(contact: Contact) -> Line | None:
        return contact.card.root.first(name)

    return Mapped(property_, name, *_part(find, lambda: line(name, ""), place, count))


def _part(find: Callable[[Contact], Line | None], new: Callable[[], Line], place: int, count: int) -> Access:
    def read(contact: Contact) -> Value | None:
        entry = find(contact)
        fields = contact.card.fields(entry) if entry is not None else []
        return readable(fields[place]) or None if place < len(fields) else None

    def write(contact: Contact, value: Value | None) -> None:
        old = find(contact)
        model = old or new()
        fields = contact.card.fields(model) if old is not None else []
        fields += [""] * (max(count, place + 1) - len(fields))
        fields[place] = str(value or "")
        made = line(model.name, ";".join(map(escaped, fields)), _kept(model), model.group)
        _put(contact, old, made if any(fields) else None)

    return read, write


def _whole(find: Callable[[Contact], Line | None], name: str, scheme: str, new: Parameters = ()) -> Access:
    """Reads and writes the text of the line that is found, without the scheme of a URI; `new` are parameters of a new line."""

    def read(contact: Contact) -> Value | None:
        entry = find(contact)
        text = _text_of(contact, entry) if entry is not None else ""
        return (text[len(scheme) :] if text.lower().startswith(scheme) else text) or None

    def write(contact: Contact, value: Value | None) -> None:
        old = find(contact)
        kept, group = (new, "") if old is None else (_kept(old), old.group)
        _put(contact, old, line(name, escaped(str(value)), kept, group) if value else None)

    return read, write


# --- slots


def _telephone_slot(entry: Line) -> str:
    types = set(types_of(entry))
    if "fax" in types:
        return "work fax" if "work" in types else "home fax" if "home" in types else "fax"
    for kind in ("cell", "pager", "car", "isdn", "textphone", "work", "home"):
        if kind in types:
            return kind
    return "pref" if "pref" in types else "other"


def _office_slot(entry: Line) -> str:
    return next((kind for kind in types_of(entry) if kind in ("callback", "assistant", "company", "radio")), "")


def _place_slot(entry: Line) -> str:
    types = types_of(entry)
    return "work" if "work" in types else "home" if "home" in types else "other"


def _page_slot(entry: Line) -> str:
    return "work" if "work" in types_of(entry) else "home"


def _slot(
    property_: Property, name: str, slot_of: Callable[[Line], str], slot: str, place: int = 0, types: str | None = None
) -> Entry:
    """A property that is the text of the line with this number in a slot; `types` are those that a new line gets."""

    def find(contact: Contact) -> Line | None:
        lines = [entry for entry in _lines(contact, name) if slot_of(entry) == slot]
        return lines[place] if place < len(lines) else None

    new = [("TYPE", [word]) for word in (slot if types is None else types).split()]
    return Mapped(property_, name, *_whole(find, name, "tel:", new))


def _addresses(slot: str, place: int) -> Access:
    def find(contact: Contact) -> Line | None:
        return next((entry for entry in contact.card.root.lines("ADR") if _place_slot(entry) == slot), None)

    types = [("TYPE", [slot])] if slot != "other" else []
    return _part(find, lambda: line("ADR", "", types), place, 7)


def _mails(contact: Contact) -> list[Line]:
    return sorted(_lines(contact, "EMAIL"), key=preference_of)


def _mail(number: int) -> list[Entry]:
    """The properties of one of the three mail addresses, in the order of preference."""
    base = 0x8070 + 0x10 * number

    def find(contact: Contact) -> Line | None:
        mails = _mails(contact)
        return mails[number - 1] if number <= len(mails) else None

    name = f"PidLidEmail{number}"
    return [
        Mapped(named(f"{name}EmailAddress", ADDRESS, base + 3), "EMAIL", *_whole(find, "EMAIL", "mailto:")),
        Mapped(
            named(f"{name}AddressType", ADDRESS, base + 2), "EMAIL", lambda it: "SMTP" if find(it) is not None else None
        ),
        *in_bag(named(f"{name}DisplayName", ADDRESS, base), named(f"{name}OriginalDisplayName", ADDRESS, base + 4)),
    ]


# --- others


def _date(property_: Property, names_of: Callable[[Contact], tuple[str, ...]], place: str) -> Entry:
    """A property that is a day, as its midnight in UTC. Days without a year stay in the card, and are not told."""

    def find(contact: Contact) -> Line | None:
        return _first(contact, *names_of(contact))

    def read(contact: Contact) -> Value | None:
        entry = find(contact)
        match = _DATE.fullmatch(contact.card.value(entry).strip()) if entry is not None else None
        try:
            return seconds(datetime(int(match[1]), int(match[2]), int(match[3]))) if match is not None else None
        except ValueError:
            return None

    def write(contact: Contact, value: Value | None) -> None:
        old = find(contact)
        dash = "" if contact.card.version == "4.0" else "-"
        name = old.name if old is not None else names_of(contact)[0]
        day = moment(value) if isinstance(value, int) else None
        text = "" if day is None else f"{day.year:04d}{dash}{day.month:02d}{dash}{day.day:02d}"
        _put(contact, old, line(name, text) if text else None)

    return Mapped(property_, place, read, write)


def _anniversary(contact: Contact) -> tuple[str, ...]:
    names = ("ANNIVERSARY", "X-ANNIVERSARY", "X-MS-ANNIVERSARY")
    return names if contact.card.version == "4.0" else names[1:] + names[:1]


def _gender(contact: Contact) -> Value | None:
    entry = _first(contact, "GENDER", "X-GENDER")
    word = contact.card.value(entry).strip().upper()[:1] if entry is not None else ""
    return _GENDERS.index(word) if word in ("F", "M") else None


def _set_gender(contact: Contact, value: Value | None) -> None:
    word = _GENDERS[value] if value in (1, 2) and isinstance(value, int) else ""
    old = _first(contact, "GENDER", "X-GENDER")
    name = old.name if old is not None else "GENDER" if contact.card.version == "4.0" else "X-GENDER"
    _put(contact, old, line(name, word) if word else None)


def _class(contact: Contact) -> Value | None:
    return number_of(contact.card.text("CLASS"), SENSITIVITY)


def _set_class(contact: Contact, value: Value | None) -> None:
    _put(contact, contact.card.root.first("CLASS"), word_line("CLASS", SENSITIVITY, value))


def _several(property_: Property, name: str, is_a_line_each: bool = False) -> Entry:
    """A property that is several texts: between commas, or a line each."""

    def read(contact: Contact) -> Value | None:
        values = [contact.card.value(entry) for entry in contact.card.root.lines(name)][:MAX_VALUES]
        if not is_a_line_each:
            values = [part for value in values for part in split(value, ",", MAX_VALUES)][:MAX_VALUES]
        texts = (readable(unescaped(value)).strip() for value in values)
        return tuple(dict.fromkeys(filter(None, texts))) or None

    def write(contact: Contact, value: Value | None) -> None:
        terms = list(map(escaped, value)) if isinstance(value, tuple) else []
        contact.card.root.replace(name, None)
        for text in terms if is_a_line_each else [",".join(terms)] if terms else []:
            _put(contact, None, line(name, text))

    return Mapped(property_, name, read, write)


def _display_name(contact: Contact, value: Value | None) -> None:
    """A card has a name (RFC 6350 section 6.2.1), and keeps the one that it has where none is given."""
    if value:
        contact.card.root.replace("FN", line("FN", escaped(str(value))))


def _phones() -> list[Entry]:
    slots = [
        ("PidTagBusinessTelephoneNumber", 0x3A08, "work", 0, "work voice"),
        ("PidTagBusiness2TelephoneNumber", 0x3A1B, "work", 1, "work voice"),
        ("PidTagHomeTelephoneNumber", 0x3A09, "home", 0, "home voice"),
        ("PidTagHome2TelephoneNumber", 0x3A2F, "home", 1, "home voice"),
        ("PidTagMobileTelephoneNumber", 0x3A1C, "cell", 0, "cell"),
        ("PidTagPrimaryTelephoneNumber", 0x3A1A, "pref", 0, "pref"),
        ("PidTagOtherTelephoneNumber", 0x3A1F, "other", 0, "voice"),
        ("PidTagBusinessFaxNumber", 0x3A24, "work fax", 0, "work fax"),
        ("PidTagHomeFaxNumber", 0x3A25, "home fax", 0, "home fax"),
        ("PidTagPrimaryFaxNumber", 0x3A23, "fax", 0, "fax"),
        ("PidTagPagerTelephoneNumber", 0x3A21, "pager", 0, "pager"),
        ("PidTagCarTelephoneNumber", 0x3A1E, "car", 0, "car"),
        ("PidTagIsdnNumber", 0x3A2D, "isdn", 0, "isdn"),
        ("PidTagTelecommunicationsDeviceForDeafTelephoneNumber", 0x3A4B, "textphone", 0, "textphone"),
    ]
    office = [
        ("PidTagCallbackTelephoneNumber", 0x3A02, "callback"),
        ("PidTagAssistantTelephoneNumber", 0x3A2E, "assistant"),
        ("PidTagCompanyMainTelephoneNumber", 0x3A57, "company"),
        ("PidTagRadioTelephoneNumber", 0x3A1D, "radio"),
    ]
    phones = [
        _slot(tagged(name, id_), "TEL", _telephone_slot, slot, place, types) for name, id_, slot, place, types in slots
    ]
    return [*phones, *(_slot(tagged(name, id_), "X-MS-TEL", _office_slot, slot) for name, id_, slot in office)]


_PARTS = (("PostOfficeBox", 0), ("Street", 2), ("City", 3), ("StateOrProvince", 4), ("PostalCode", 5), ("Country", 6))
_HOME = (0x3A5E, 0x3A5D, 0x3A59, 0x3A5C, 0x3A5B, 0x3A5A)
_OTHER = (0x3A64, 0x3A63, 0x3A5F, 0x3A62, 0x3A61, 0x3A60)
_WORK = (0x804A, 0x8045, 0x8046, 0x8047, 0x8048, 0x8049)


def _postal() -> list[Entry]:
    entries: list[Entry] = []
    for number, (part, place) in enumerate(_PARTS):
        work = named(f"PidLidWorkAddress{part.replace('StateOrProvince', 'State')}", ADDRESS, _WORK[number])
        entries.append(Mapped(tagged(f"PidTagHomeAddress{part}", _HOME[number]), "ADR", *_addresses("home", place)))
        entries.append(Mapped(tagged(f"PidTagOtherAddress{part}", _OTHER[number]), "ADR", *_addresses("other", place)))
        entries.append(Mapped(work, "ADR", *_addresses("work", place)))
    return entries


_NAMES: list[Entry] = [
    Mapped(tagged("PidTagDisplayName", 0x3001), "FN", lambda it: readable(it.card.text("FN")) or None, _display_name),
    Mapped(tagged("PidTagSubject", 0x0037), "FN", lambda it: readable(it.card.text("FN")) or None),
    _field(tagged("PidTagSurname", 0x3A11), "N", 0, 5),
    _field(tagged("PidTagGivenName", 0x3A06), "N", 1, 5),
    _field(tagged("PidTagMiddleName", 0x3A44), "N", 2, 5),
    _field(tagged("PidTagDisplayNamePrefix", 0x3A45), "N", 3, 5),
    _field(tagged("PidTagGeneration", 0x3A05), "N", 4, 5),
    _text(tagged("PidTagNickname", 0x3A4F), "NICKNAME"),
    _text(named("PidLidYomiFirstName", ADDRESS, 0x802C), "X-PHONETIC-FIRST-NAME"),
    _text(named("PidLidYomiLastName", ADDRESS, 0x802D), "X-PHONETIC-LAST-NAME"),
    _text(named("PidLidYomiCompanyName", ADDRESS, 0x802E), "X-PHONETIC-ORG"),
]
_WORKING: list[Entry] = [
    _field(tagged("PidTagCompanyName", 0x3A16), "ORG", 0, 1),
    _field(tagged("PidTagDepartmentName", 0x3A18), "ORG", 1, 1),
    _text(tagged("PidTagTitle", 0x3A17), "TITLE"),
    _text(tagged("PidTagProfession", 0x3A46), "ROLE"),
    _text(tagged("PidTagManagerName", 0x3A4E), "X-MS-MANAGER", "X-MANAGER"),
    _text(tagged("PidTagAssistant", 0x3A30), "X-MS-ASSISTANT", "X-ASSISTANT"),
    _slot(tagged("PidTagBusinessHomePage", 0x3A51), "URL", _page_slot, "work"),
    follows(_text(named("PidLidHtml", ADDRESS, 0x802B), "URL")),
]
_OWN: list[Entry] = [
    _date(tagged("PidTagBirthday", 0x3A42, Type.TIME), lambda it: ("BDAY",), "BDAY"),
    _date(tagged("PidTagWeddingAnniversary", 0x3A41, Type.TIME), _anniversary, "ANNIVERSARY"),
    Mapped(tagged("PidTagGender", 0x3A4D, Type.INTEGER16), "GENDER", _gender, _set_gender),
    _text(tagged("PidTagSpouseName", 0x3A48), "X-MS-SPOUSE", "X-SPOUSE"),
    _several(tagged("PidTagChildrensNames", 0x3A58, Type.STRINGS), "X-MS-CHILD", is_a_line_each=True),
    _text(tagged("PidTagHobbies", 0x3A43), "X-MS-INTERESTS"),
    _slot(tagged("PidTagPersonalHomePage", 0x3A50), "URL", _page_slot, "home"),
    _text(named("PidLidInstantMessagingAddress", ADDRESS, 0x8062), "X-MS-IMADDRESS", "IMPP"),
    _text(named("PidLidFreeBusyLocation", ADDRESS, 0x80D8), "FBURL"),
    _text(tagged("PidTagBody", 0x1000), "NOTE"),
    Mapped(tagged("PidTagSensitivity", 0x0036, Type.INTEGER32), "CLASS", _class, _set_class),
    _several(KEYWORDS, "CATEGORIES"),
    Mapped(
        named("PidLidHasPicture", ADDRESS, 0x8015, Type.BOOLEAN), "PHOTO", lambda it: _first(it, "PHOTO") is not None
    ),
]
_KEPT: list[Entry] = in_bag(
    named("PidLidFileUnder", ADDRESS, 0x8005),
    named("PidLidFileUnderId", ADDRESS, 0x8006, Type.INTEGER32),
    named("PidLidPostalAddressId", ADDRESS, 0x8022, Type.INTEGER32),
    named("PidLidContactUserField1", ADDRESS, 0x804F),
    named("PidLidContactUserField2", ADDRESS, 0x8050),
    named("PidLidContactUserField3", ADDRESS, 0x8051),
    named("PidLidContactUserField4", ADDRESS, 0x8052),
    tagged("PidTagInitials", 0x3A0A),
    tagged("PidTagAccount", 0x3A00),
    tagged("PidTagCustomerId", 0x3A4A),
    tagged("PidTagGovernmentIdNumber", 0x3A07),
    tagged("PidTagOrganizationalIdNumber", 0x3A10),
    tagged("PidTagReferredByName", 0x3A47),
    tagged("PidTagOfficeLocation", 0x3A19),
    tagged("PidTagLocation", 0x3A0D),
    tagged("PidTagComputerNetworkName", 0x3A49),
    tagged("PidTagFtpSite", 0x3A4C),
    tagged("PidTagTelexNumber", 0x3A2C),
    named("PidLidCompanies", COMMON, 0x8539, Type.STRINGS),
    named("PidLidMileage", COMMON, 0x8534),
    named("PidLidReminderSet", COMMON, 0x8503, Type.BOOLEAN),
    named("PidLidReminderTime", COMMON, 0x8502, Type.TIME),
    named("PidLidReminderDelta", COMMON, 0x8501, Type.INTEGER32),
    tagged("PidTagImportance", 0x0017, Type.INTEGER32),
    LANGUAGE,
    *IM_ADDRESSES,
)
CONTACT_PROPERTIES: PropertyMap[Contact] = PropertyMap(
    [*_NAMES, *_WORKING, *_mail(1), *_mail(2), *_mail(3), *_phones(), *_postal(), *_OWN, *_KEPT]
)
"""The map of IPM.Contact."""
