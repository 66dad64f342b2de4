"""What the group "Postern Servers" may do in Active Directory, and no more: as entries of access-control lists.

Pure. They read what is in recipients; they write the attributes of mail on users, groups and contacts; they keep Postern's own
container. They create, delete or rename nobody, and set no password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from postern.directory.ad import security_descriptor as sd
from postern.directory.ad.schema import MAIL_PROPERTIES, RECIPIENT_CLASSES, WRITTEN_BY_RECIPIENT_UPDATE
from postern.directory.ad.security_descriptor import Grant


@dataclass(frozen=True, slots=True)
class Identified:
    """schemaIDGUID of an attribute or class, and for an attribute the property set it is in (attributeSecurityGUID)."""

    guid: UUID
    property_set: UUID | None = None


def on_domain(attributes: Mapping[str, Identified], classes: Mapping[str, UUID]) -> tuple[Grant, ...]:
    """Entries for the domain's head, which objects below inherit: for each class of recipients reading all (but what is
    confidential), and writing each attribute of mail, by our property set where it holds it."""
    written = [attributes[name] for name in WRITTEN_BY_RECIPIENT_UPDATE]
    what = {one.guid for one in written if one.property_set != MAIL_PROPERTIES}
    if len(what) < len(written):
        what.add(MAIL_PROPERTIES)
    grants = []
    for name in RECIPIENT_CLASSES:
        grants.append(Grant(sd.READ_PROPERTY | sd.READ_CONTROL, of_class=classes[name]))
        grants.extend(Grant(sd.WRITE_PROPERTY, guid, classes[name]) for guid in sorted(what))
    return tuple(grants)


_READ = sd.LIST | sd.READ_PROPERTY | sd.LIST_OBJECT | sd.READ_CONTROL
_KEEP = (
    _READ
    | sd.CREATE_CHILD
    | sd.DELETE_CHILD
    | sd.SELF
    | sd.WRITE_PROPERTY
    | sd.DELETE_TREE
    | sd.CONTROL_ACCESS
    | sd.DELETE
)

ON_CONTAINER = (Grant(_READ, inherited=False, on_itself=True), Grant(_KEEP))
"""CN=Postern: read, and everything below it but its access-control lists."""
