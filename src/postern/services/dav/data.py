"""The contents of resources in reports: `calendar-data` and `address-data` (RFC 4791 section 9.6, RFC 6352 section 10.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.items import calendar_data, calendar_object, card_data, contact
from postern.items.calendar_data import Wanted
from postern.items.calendar_object import CalendarObject, Refused
from postern.model.resources import Resource
from postern.protocols import xml
from postern.protocols.dav.bodies import PropFind
from postern.protocols.dav.names import opening
from postern.protocols.ical import expansion
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE, Zone
from postern.services.dav import filters, time_zones
from postern.services.dav.filters import CardWanted
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.octets import content_of, may_recur
from postern.services.dav.resource_properties import ADDRESS_DATA, CALENDAR_DATA, DATA
from postern.services.scheduling.aside import aside

STEPS = 1_000_000
"""Steps that the rules of all objects may take for one report that expands them."""
_TAGS = {name: opening(name) for name in DATA}


@dataclass(frozen=True, slots=True)
class Data:
    """A question for contents: the property's name, and what is wanted of a calendar object or a card. `floating` is the zone
    of times without one; `zones` is what the client says of VTIMEZONEs (`time_zones.asked`). `budget` is for all objects."""

    name: str
    wanted: Wanted
    card: CardWanted | None
    floating: Zone = UTC_ZONE
    zones: str = ""
    budget: Budget = field(default_factory=lambda: Budget(STEPS))

    @classmethod
    def of(
        cls, find: PropFind, floating: Zone = UTC_ZONE, zones: str = "", budget: Budget | None = None
    ) -> Data | None:
        """Returns what a report asks for; None where it asks for no content. Raises Refusal."""
        name = next((name for name in DATA if name in find.names), None)
        if name is None:
            return None
        part = find.parts.get(name)
        return cls(
            name,
            filters.calendar_data(part if name == CALENDAR_DATA else None),
            filters.address_data(part if name == ADDRESS_DATA else None),
            floating,
            zones if name == CALENDAR_DATA else "",
            budget or Budget(STEPS),
        )

    @property
    def is_expanding(self) -> bool:
        return self.wanted.expand is not None

    @property
    def is_spent(self) -> bool:
        """Whether there is no budget left for further objects."""
        return self.is_expanding and self.budget.is_spent

    async def markup(self, box: OwnMailbox, resource: Resource, read: CalendarObject | None = None) -> str:
        """Returns the element with the resource's content. `read` is the object if the caller has read it already."""
        content = resource.content if resource.content is not None else await content_of(box, resource)
        if not self.wanted.is_whole:
            content = await aside(
                content, lambda: self._calendar(content, read), self.is_expanding and may_recur(content)
            )
        elif self.card is not None:
            content = await aside(content, lambda: self._card(content))
        if self.zones:
            content = await aside(content, lambda: time_zones.as_asked(content, self.zones))
        start, end = _TAGS[self.name]
        return f"<{start}>{xml.text_of_octets(content)}</{end}>"

    async def markups(self, box: OwnMailbox, resources: Sequence[Resource]) -> list[str]:
        """Returns the element of each resource."""
        is_as_put = self.wanted.is_whole and self.card is None and not self.zones
        if not is_as_put or any(each.content is None for each in resources):
            return [await self.markup(box, resource) for resource in resources]
        start, end = _TAGS[self.name]
        return [f"<{start}>{xml.text_of_octets(resource.content or b'')}</{end}>" for resource in resources]

    def _calendar(self, content: bytes, read: CalendarObject | None) -> bytes:
        calendar = read or calendar_object.read(content)
        if isinstance(calendar, Refused):
            return content
        own = Budget()  # so that no object is cut because of those before it
        retrieved = calendar_data.retrieve(calendar, self.wanted, self.floating, own)
        self.budget.spend(expansion.STEPS - own.left)
        return content if isinstance(retrieved, Refused) else retrieved

    def _card(self, content: bytes) -> bytes:
        card = contact.read(content)
        if isinstance(card, Refused) or self.card is None:
            return content
        retrieved = card_data.retrieve(card, self.card.version, self.card.properties)
        return content if isinstance(retrieved, Refused) else retrieved
