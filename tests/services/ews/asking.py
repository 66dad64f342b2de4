"""Makes requests of every operation, as the schema allows them and a little beyond it, from a sequence of choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postern.protocols import xml
from postern.protocols.ews.schema import Kind, Place, of_requests
from tests.services.ews.templates import TEMPLATES

DEEPEST = 12
"""Elements below each other. Deeper ones have only what they must have."""
MOST = 400
"""Elements of a request."""
_TEXTS = (
    "",
    "x",
    "0",
    "-1",
    "99999999999999999999",
    "\u202ea & <b>&#0;",
    "2026-11-30T01:02:03Z",
    "alice@example.test",
    "bob",
    "P1D",
)
_OF_KIND = {
    "xs:boolean": ("true", "false"),
    "xs:int": ("1", "0", "-1", "2147483647", "480"),
    "xs:dateTime": ("2026-11-30T01:02:03Z", "2027-01-01T00:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00-14:00"),
    "xs:date": ("2026-11-30", "2026-11-30Z"),
    "xs:time": ("02:00:00",),
    "xs:duration": ("-PT1H", "PT0S", "P10000Y"),
    "xs:base64Binary": ("U3ViamVjdDogeA0KDQp4", "", "AA"),
}


_IDS = {"item": "ItemId", "folder": "FolderId", "attachment": "AttachmentId", "conversation": "ConversationId"}


class Choices:
    """Choices that octets make; when they are used up, each is the first."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def pick(self, count: int) -> int:
        self._at += 1
        return self._octets[self._at - 1] % count if self._at <= len(self._octets) else 0

    def one_of(self, values: Sequence[str]) -> str:
        return values[self.pick(len(values))]

    @property
    def are_left(self) -> bool:
        return self._at < len(self._octets)


class Asking:
    """Makes one request. `fitting` has texts for elements and attributes by their names, and those of "" are put anywhere."""

    def __init__(self, choices: Choices, fitting: Mapping[str, Sequence[str]]) -> None:
        self._choices = choices
        self._fitting = fitting
        self._anything = (*_TEXTS, *fitting[""])
        self._count = 0

    def request(self) -> str:
        """The element in the SOAP body, with the prefixes m and t."""
        if self._choices.pick(2) == 1:
            ids = {name: self._fit(f"t:{element}@Id", "xs:string") for name, element in _IDS.items()}
            ids["key"] = self._fit("@ChangeKey", "xs:string")
            return self._choices.one_of(TEMPLATES).format_map({name: xml.attribute(text) for name, text in ids.items()})
        asks = of_requests().asks
        place = asks[self._choices.one_of(sorted(asks))]
        return self._element(place, 0)

    def _element(self, place: Place, depth: int) -> str:
        self._count += 1
        chain = of_requests().chain(place.type)
        if not chain or chain[-1].is_text:
            return f"<{place.name}>{xml.text(self._fit(place.name, place.type))}</{place.name}>"
        known = [each for kind in chain for each in kind.attributes.values()]
        told = [each for each in known if each.is_required or self._is_chosen()]
        texts = [(each.name, self._fit(f"{place.name}@{each.name}", each.type)) for each in told]
        attributes = "".join([f' {name}="{xml.attribute(text)}"' for name, text in texts])
        if chain[-1].form == "text":
            inner = xml.text(self._text(chain[0].base))
        else:
            inner = "".join([self._elements(kind, depth) for kind in chain])
        return f"<{place.name}{attributes}>{inner}</{place.name}>"

    def _elements(self, kind: Kind, depth: int) -> str:
        by_place: dict[int, list[Place]] = {}
        for place in kind.elements:
            by_place.setdefault(place.at, []).append(place)
        written = []
        for choice in by_place.values():
            is_needed = any(place.is_required for place in choice) or len(choice) > 1
            if depth > DEEPEST or self._count > MOST or not (is_needed or self._is_chosen()):
                continue
            for _ in range(1 + (choice[0].repeats and self._is_chosen())):
                place = choice[self._choices.pick(len(choice))]
                if place.name != "*":
                    written.append(self._element(place, depth + 1))
        return "".join(written)

    def _is_chosen(self) -> bool:
        return self._choices.pick(9) == 1

    def _fit(self, name: str, type_name: str) -> str:
        """A text for an element or an attribute ("t:FolderId@Id"), which mostly fits."""
        if self._choices.pick(16) == 15:
            return self._choices.one_of(self._anything)
        fitting = self._fitting.get(name) or self._fitting.get(name[name.find("@") :])
        return self._choices.one_of(fitting) if fitting else self._text(type_name)

    def _text(self, type_name: str) -> str:
        kind = of_requests().kinds.get(type_name)
        if kind is None:
            return self._choices.one_of(_OF_KIND.get(type_name) or ("x", *self._anything))
        if kind.form in ("list", "union"):
            return self._text(kind.members[0])
        return self._choices.one_of(list(kind.values)) if kind.values else self._text(kind.base)
