"""The octets of resources: reads them, and says whether they are worth being looked at."""

from __future__ import annotations

from postern.model.resources import Resource
from postern.services.dav.mailbox import OwnMailbox
from postern.services.scheduling.aside import AT_ONCE


def may_recur(octets: bytes) -> bool:
    """Whether an object may have a rule, which says with few octets what takes a second and more to expand."""
    return may_have(octets, b"RRULE")


def may_have(octets: bytes, name: bytes) -> bool:
    """Whether it is worth reading an object to look for a property of this name, which may be folded and in small letters. A
    large object without it is read in any case, by a thread."""
    if name in octets or len(octets) > AT_ONCE:
        return True
    # A hint for each object of a report: it costs less than `folds.unfolded`, and may join more than that does.
    lines = octets.replace(b"\r", b"" if b"\n" in octets else b"\n")
    return name in lines.replace(b"\n ", b"").replace(b"\n\t", b"").upper()


async def content_of(box: OwnMailbox, resource: Resource) -> bytes:
    """Returns the octets of a resource; those that did not fit beside others are asked for alone."""
    if resource.content is not None:
        return resource.content
    again = list(await box.store.with_ids(box.id, [resource.id], True))
    return (again[0].content or b"") if again else b""
