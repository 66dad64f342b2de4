"""The contents of resources in reports: `calendar-data` and `address-data` (RFC 4791 section 9.6, RFC 6352 section 10.4)."""

from __future__ import annotations

from dataclasses import dataclass

from postern.model.resources import Resource
from postern.protocols import xml
from postern.protocols.dav.bodies import PropFind
from postern.protocols.dav.names import element
from postern.protocols.xml import Element
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.resource_properties import DATA


@dataclass(frozen=True, slots=True)
class Data:
    """A question for contents. `part` is the element with its details, None for the whole."""

    name: str
    part: Element | None

    @classmethod
    def of(cls, find: PropFind) -> Data | None:
        name = next((name for name in DATA if name in find.names), None)
        return None if name is None else cls(name, find.parts.get(name))

    async def markup(self, box: OwnMailbox, resource: Resource) -> str:
        """Returns the element with the resource's content."""
        content = await content_of(box, resource)
        return element(self.name, xml.text(content.decode("utf-8", "replace")))


async def content_of(box: OwnMailbox, resource: Resource) -> bytes:
    """Returns the octets of a resource; those that did not fit beside others are asked for alone."""
    if resource.content is not None:
        return resource.content
    again = list(await box.store.with_ids(box.id, [resource.id], True))
    return (again[0].content or b"") if again else b""
