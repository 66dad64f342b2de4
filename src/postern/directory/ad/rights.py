"""The rights of the group "Postern Servers" in Active Directory, as entries of access-control lists.

Pure. The servers may read recipients, write the attributes of mail on users, groups and contacts, and keep Postern's own
container. They may not create, delete or rename anybody, and set no password.
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
    """The schemaIDGUID of an attribute or class, and the property set that an attribute is in (attributeSecurityGUID)."""

    guid: UUID
    property_set: UUID | None = None


def on_domain(attributes: Mapping[str, Identified], classes: Mapping[str, UUID]) -> tuple[Grant, ...]:
    """Returns entries for the head of the domain, which the objects below inherit. For each class of recipients they grant
    reading all attributes that are not confidential, and writing each attribute of mail: by our property set if the
    attribute is in it, else by the attribute itself."""
    written = [attributes[name] for name in WRITTEN_BY_RECIPIENT_UPDATE]
    what = {attribute.guid for attribute in written if attribute.property_set != MAIL_PROPERTIES}
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
"""Entries for CN=Postern. They grant reading the container, and everything on what is below it but changing access-control
lists."""
