"""Entries of the directory as an administrator sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from postern.directory import entries
from postern.directory.entries import ACCOUNT_DISABLED, VERIFIER_ATTRIBUTES
from postern.directory.ldap.client import Entry
from postern.model.directory import RecipientType
from postern.model.domains import shown


@dataclass(frozen=True, slots=True)
class Listing:
    """An entry as an administrator sees it. `name` is the logon name of an account, or the address of a group or contact.
    `aliases` are the addresses besides the primary. `target` is where a contact's or a forwarding user's mail goes. `members`
    are the members' primary addresses, `delegates` those of who may send on its behalf. `quota` is in bytes."""

    guid: UUID
    type: RecipientType
    name: str
    display_name: str
    primary: str
    aliases: tuple[str, ...] = ()
    enabled: bool = True
    hidden: bool = False
    equipment: bool = False
    database: str = ""
    quota: int = 0
    target: str = ""
    members: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    send_as: tuple[str, ...] = ()
    verifiers: tuple[str, ...] = ()


def listing_of(entry: Entry, addresses: Mapping[str, str]) -> Listing:
    """Reads an entry; `addresses` has the primary addresses of the entries that it refers to, by folded name."""
    values = entry.attributes
    recipient = entries.recipient(values, addresses)
    return Listing(
        guid=recipient.guid,
        type=recipient.type,
        name=shown(entries.text(values, "userPrincipalName") or recipient.primary),
        display_name=recipient.display_name,
        primary=shown(recipient.primary),
        aliases=tuple(map(shown, recipient.addresses[1:])),
        enabled=not entries.number(values, "userAccountControl") & ACCOUNT_DISABLED,
        hidden=entries.flag(values, "msExchHideFromAddressLists"),
        equipment=entries.is_equipment(values),
        database=recipient.database,
        quota=recipient.quota,
        target=shown(recipient.target or recipient.forward_to),
        members=tuple(map(shown, recipient.members)),
        delegates=tuple(map(shown, recipient.delegates)),
        send_as=tuple(shown(value.decode()) for value in values.get("posternSendAs", ())),
        verifiers=tuple(kind for kind, name in VERIFIER_ATTRIBUTES.items() if name in values),
    )
