"""Properties that appointments and tasks share, and how lines of iCalendar are read and written for them (MS-OXCICAL section
2.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.items.calendar_object import CalendarObject
from postern.items.properties import (
    COMMON,
    LANGUAGE,
    PUBLIC_STRINGS,
    Mapped,
    Property,
    Type,
    Value,
    follows,
    in_bag,
    named,
    tagged,
)
from postern.items.task import time_of
from postern.items.text import text_of
from postern.model.item_store import PropertyName
from postern.protocols.content_lines import Component, Line, component, escaped, line, octets_of, split
from postern.protocols.ical.values import When, read_span, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, written_utc

MAX_VALUES = 1_000
"""Values of categories and the like that are read."""
SENSITIVITY = ("PUBLIC", "X-PERSONAL", "PRIVATE", "CONFIDENTIAL")
"""CLASS by PidTagSensitivity (MS-OXCICAL section 2.1.3.1.1.20.4), in vCard as in iCalendar."""
_PRIORITY = ("9", "5", "1")
"""PRIORITY by PidTagImportance."""
_MINUTES = 15
"""Minutes of a reminder for which nothing else is said, as Outlook has it."""
KEYWORDS = Property("PidNameKeywords", Type.STRINGS, 0, PropertyName(PUBLIC_STRINGS, None, "Keywords"))


@dataclass(slots=True)
class CalendarContent:
    """A calendar object as its properties are read and written: those of one of its components, the main one if none is given.
    `me` are the owner's addresses in lower case, `floating` is the owner's zone, `reminds` the time of the next reminder."""

    calendar: CalendarObject
    me: frozenset[str] = frozenset()
    floating: Zone = UTC_ZONE
    reminds: int | None = None
    part: Component = field(default_factory=lambda: Component(""))
    all_day: bool = False

    def __post_init__(self) -> None:
        if not self.part.name:
            self.part = self.calendar.main
        start = when_of(self.part.first("DTSTART"))
        self.all_day = start is not None and start.is_date

    def utc(self, when: When) -> int:
        return self.calendar.zones.utc(when, self.floating)

    def octets(self) -> bytes:
        return self.calendar.root.octets()


Entry = Mapped[CalendarContent]


def text(property_: Property, name: str) -> Entry:
    """A property that is the text of a line."""

    def write(content: CalendarContent, value: Value | None) -> None:
        content.part.replace(name, line(name, escaped(str(value))) if value else None)

    return Mapped(property_, name, lambda content: text_of(content.part.value(name)) or None, write)


def number(property_: Property, name: str, most: int = 2**31 - 1) -> Entry:
    """A property that is the whole number of a line."""

    def read(content: CalendarContent) -> Value | None:
        digits = content.part.value(name).strip()
        return min(int(digits), most) if digits.isascii() and digits.isdigit() and len(digits) < 11 else None

    def write(content: CalendarContent, value: Value | None) -> None:
        content.part.replace(name, line(name, str(value)) if value is not None else None)

    return Mapped(property_, name, read, write)


def moment_in_utc(property_: Property, name: str) -> Entry:
    """A property that is a time in UTC, to the second."""

    def write(content: CalendarContent, value: Value | None) -> None:
        content.part.replace(name, line(name, written_utc(int(value))) if isinstance(value, int) else None)

    return Mapped(property_, name, lambda content: time_of(content.calendar, content.part, name, UTC_ZONE), write)


def flag(property_: Property, name: str) -> Entry:
    """A property that is TRUE or FALSE in a line."""

    def read(content: CalendarContent) -> Value | None:
        word = content.part.value(name).strip().upper()
        return word == "TRUE" if word in ("TRUE", "FALSE") else None

    def write(content: CalendarContent, value: Value | None) -> None:
        content.part.replace(name, None if value is None else line(name, "TRUE" if value else "FALSE"))

    return Mapped(property_, name, read, write)


def texts(property_: Property, name: str) -> Entry:
    """A property that is several texts: all that lines of this name have between commas."""

    def read(content: CalendarContent) -> Value | None:
        values = [value for entry in content.part.lines(name) for value in split(entry.value, ",", MAX_VALUES)]
        return tuple(dict.fromkeys(filter(None, map(text_of, values[:MAX_VALUES])))) or None

    def write(content: CalendarContent, value: Value | None) -> None:
        terms = value if isinstance(value, tuple) else ()
        content.part.replace(name, line(name, ",".join(map(escaped, terms))) if terms else None)

    return Mapped(property_, name, read, write)


def number_of(word: str, terms: Sequence[str]) -> int | None:
    """The number of a word among these, which are in upper case; None: it is none of them."""
    word = word.strip().upper()
    return terms.index(word) if word in terms else None


def word_line(name: str, terms: Sequence[str], value: Value | None) -> Line | None:
    """The line with the word that has this number; None: no word has it."""
    return line(name, terms[value]) if isinstance(value, int) and 0 <= value < len(terms) else None


def set_word(content: CalendarContent, name: str, terms: Sequence[str], value: Value | None) -> None:
    """Writes the word with this number into a line; a number that none has takes the line away."""
    content.part.replace(name, word_line(name, terms, value))


def recurs(content: CalendarContent) -> bool:
    """Whether the component has a rule or further dates."""
    return next(content.part.lines("RRULE", "RDATE"), None) is not None


def _sensitivity(content: CalendarContent) -> Value | None:
    """PUBLIC where nothing is said (RFC 5545 section 3.8.1.3): DavMail looks for what has the number of it."""
    word = content.part.value("CLASS")
    return number_of(word, SENSITIVITY) if word.strip() else 0


def _set_sensitivity(content: CalendarContent, value: Value | None) -> None:
    set_word(content, "CLASS", SENSITIVITY, value)


def _importance(content: CalendarContent) -> Value | None:
    digits = content.part.value("PRIORITY").strip()
    if not digits.isascii() or not digits.isdigit() or not 0 < int(digits[:3]) <= 9:
        return None
    return 2 if int(digits) < 5 else 1 if int(digits) == 5 else 0


def _set_importance(content: CalendarContent, value: Value | None) -> None:
    set_word(content, "PRIORITY", _PRIORITY, value)


def _html(content: CalendarContent) -> Value | None:
    for entry in content.part.lines("X-ALT-DESC"):
        if entry.parameter("FMTTYPE").lower() == "text/html":
            return octets_of(text_of(entry.value))
    return None


def _set_html(content: CalendarContent, value: Value | None) -> None:
    markup = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
    made = line("X-ALT-DESC", escaped(markup), [("FMTTYPE", ["text/html"])]) if markup else None
    content.part.replace("X-ALT-DESC", made)


def _alarm(content: CalendarContent) -> Component | None:
    return next(content.part.components("VALARM"), None)


def _set_alarm(content: CalendarContent, value: Value | None) -> None:
    content.part.entries = [entry for entry in content.part.entries if entry.name != "VALARM"]
    if value:
        lines = [line("ACTION", "DISPLAY"), line("TRIGGER", f"-PT{_MINUTES}M"), line("DESCRIPTION", "Reminder")]
        content.part.entries.append(component("VALARM", lines))


def _delta(content: CalendarContent) -> Value | None:
    alarm = _alarm(content)
    span = read_span(alarm.value("TRIGGER")) if alarm is not None else None
    return None if span is None else -(span.days * 1_440 + span.seconds // 60)


def _set_delta(content: CalendarContent, value: Value | None) -> None:
    """Minutes say something only where there is a reminder."""
    alarm = _alarm(content)
    if alarm is not None and isinstance(value, int):
        alarm.replace("TRIGGER", line("TRIGGER", f"{'-' if value >= 0 else ''}PT{abs(value)}M"))


def common(start: str) -> list[Entry]:
    """The properties of every calendar item; reminders are before the line `start`."""
    return [
        text(tagged("PidTagSubject", 0x0037), "SUMMARY"),
        follows(text(tagged("PidTagNormalizedSubject", 0x0E1D), "SUMMARY")),
        text(tagged("PidTagBody", 0x1000), "DESCRIPTION"),
        Mapped(tagged("PidTagHtml", 0x1013, Type.BINARY), "X-ALT-DESC", _html, _set_html),
        Mapped(tagged("PidTagImportance", 0x0017, Type.INTEGER32), "PRIORITY", _importance, _set_importance),
        Mapped(tagged("PidTagSensitivity", 0x0036, Type.INTEGER32), "CLASS", _sensitivity, _set_sensitivity),
        Mapped(
            named("PidLidPrivate", COMMON, 0x8506, Type.BOOLEAN), "CLASS", lambda it: (_sensitivity(it) or 0) in (2, 3)
        ),
        moment_in_utc(tagged("PidTagCreationTime", 0x3007, Type.TIME), "CREATED"),
        moment_in_utc(tagged("PidTagLastModificationTime", 0x3008, Type.TIME), "LAST-MODIFIED"),
        texts(KEYWORDS, "CATEGORIES"),
        texts(named("PidLidContacts", COMMON, 0x853A, Type.STRINGS), "CONTACT"),
        Mapped(
            named("PidLidReminderSet", COMMON, 0x8503, Type.BOOLEAN),
            "VALARM",
            lambda it: _alarm(it) is not None,
            _set_alarm,
        ),
        Mapped(named("PidLidReminderDelta", COMMON, 0x8501, Type.INTEGER32), "VALARM", _delta, _set_delta),
        Mapped(
            named("PidLidReminderTime", COMMON, 0x8502, Type.TIME),
            start,
            lambda it: time_of(it.calendar, it.part, start, it.floating),
        ),
        Mapped(named("PidLidReminderSignalTime", COMMON, 0x8560, Type.TIME), "VALARM", lambda it: it.reminds),
        *in_bag(
            named("PidLidReminderOverride", COMMON, 0x851C, Type.BOOLEAN),
            named("PidLidReminderPlaySound", COMMON, 0x851E, Type.BOOLEAN),
            named("PidLidReminderFileParameter", COMMON, 0x851F),
            named("PidLidSideEffects", COMMON, 0x8510, Type.INTEGER32),
            named("PidLidTaskMode", COMMON, 0x8518, Type.INTEGER32),
            named("PidLidMileage", COMMON, 0x8534),
            named("PidLidBilling", COMMON, 0x8535),
            LANGUAGE,
            named("PidLidCompanies", COMMON, 0x8539, Type.STRINGS),
            named("PidLidCurrentVersion", COMMON, 0x8552, Type.INTEGER32),
            named("PidLidCurrentVersionName", COMMON, 0x8554),
            tagged("PidTagIconIndex", 0x1080, Type.INTEGER32),
            tagged("PidTagMessageLocaleId", 0x3FF1, Type.INTEGER32),
        ),
    ]
