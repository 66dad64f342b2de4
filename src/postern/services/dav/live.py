"""The properties that the server computes ("live", RFC 4918 section 4) of collections and principals.

`resource_properties` has those of resources. A function returns the markup inside the property's element, or None where the thing
has no such property.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from postern.items.managed_attachments import MAX_MANAGED
from postern.model.directory import RecipientType
from postern.model.folders import EVERYBODY, Right
from postern.model.resources import FolderState
from postern.model.sharing import DEFAULT_RIGHTS, EVERY_RIGHT
from postern.protocols import xml
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import caldav, calendar_server, carddav, dav, element
from postern.services.dav import address_list, privileges, schedule_markup
from postern.services.dav.folders import CALENDARS, OUTBOX, Collection, Kind
from postern.services.dav.locks import SUPPORTED_LOCK, Lock, discovery
from postern.services.dav.mailbox import MAX_RESOURCE, OwnMailbox
from postern.services.dav.places import ROOT, Space, home_path, principal_path


class Level(Enum):
    """The kinds of things that are no resource: the root, a collection of principals or of homes, a principal, a home, a
    collection of resources, or the schedule outbox (RFC 6638 section 2.1)."""

    ROOT = auto()
    PRINCIPALS = auto()
    PRINCIPAL = auto()
    HOMES = auto()
    HOME = auto()
    COLLECTION = auto()
    OUTBOX = auto()


@dataclass(frozen=True, slots=True)
class Node:
    """A thing that is no resource. `collection` and `state` are those of Level.COLLECTION, `locks` those that cover it.
    `values` are the properties of a thing that has other ones than LIVE computes: those of another's principal."""

    level: Level
    space: Space
    path: str
    box: OwnMailbox
    collection: Collection | None = None
    state: FolderState | None = None
    locks: tuple[Lock, ...] = ()
    values: Mapping[str, str] | None = None

    @property
    def kind(self) -> Kind | None:
        return self.collection.kind if self.collection is not None else None

    @property
    def is_calendar(self) -> bool:
        return self.kind in CALENDARS

    @property
    def is_scheduling(self) -> bool:
        """Whether it is the schedule inbox or outbox."""
        return self.kind is Kind.INBOX or self.level is Level.OUTBOX

    @property
    def is_address_list(self) -> bool:
        return self.collection is not None and self.collection.is_address_list


Property = Callable[[Node], str | None]


def href(path: str) -> str:
    return f"<D:href>{href_of(path)}</D:href>"


def sync_token(folder: int, change: int) -> str:
    """Returns the token of a folder's state, which is a URI as RFC 6578 section 3.2 wants it."""
    return f"data:,{folder}-{change}"


def _resource_type(node: Node) -> str:
    if node.level is Level.PRINCIPAL:
        return "<D:collection/><D:principal/>"
    if node.is_calendar:
        return "<D:collection/><C:calendar/>"
    if node.is_scheduling:
        return schedule_markup.resource_type(node.level is Level.OUTBOX)
    if node.is_address_list:
        return "<D:collection/><A:addressbook/><A:directory/>"
    return "<D:collection/><A:addressbook/>" if node.kind is Kind.ADDRESSBOOK else "<D:collection/>"


_LEVEL_NAMES = {Space.ROOT: "DAV", Space.PRINCIPALS: "Principals", Space.CALENDARS: "Calendars"}
_LEVEL_NAMES |= {Space.ADDRESSBOOKS: "Address books", Space.FILES: "Files"}


def _display_name(node: Node) -> str:
    if node.level is Level.PRINCIPAL:
        return xml.text(node.box.recipient.display_name or node.box.address)
    if node.collection is not None:
        name = xml.text(node.collection.node.name)
        if node.box.me is node.box:
            return name
        return f"{name} ({xml.text(node.box.recipient.display_name or node.box.address)})"
    if node.level is Level.OUTBOX:
        return "Schedule outbox"
    return xml.text(_LEVEL_NAMES[node.space])


def _principal(node: Node) -> str:
    return href(principal_path(node.box.address))


def _caller(node: Node) -> str:
    return href(principal_path(node.box.me.address))


def _own_principal(node: Node) -> str | None:
    return _principal(node) if node.level is Level.PRINCIPAL else None


def _owner(node: Node) -> str | None:
    if node.is_address_list:
        return None
    return _principal(node) if node.level not in (Level.ROOT, Level.PRINCIPALS, Level.HOMES) else None


def _of_principal(make: Property) -> Property:
    return lambda node: make(node) if node.level is Level.PRINCIPAL else None


def _of_collection(make: Property, *kinds: Kind) -> Property:
    return lambda node: make(node) if node.kind is not None and (not kinds or node.kind in kinds) else None


def _rights(node: Node) -> Right:
    """The caller's rights in a thing that somebody owns."""
    if node.collection is not None:
        return node.box.rights(node.collection.node)
    return EVERY_RIGHT if node.box.is_whole else Right(0)


def _current_privileges(node: Node) -> str:
    scheduling = schedule_markup.privileges(node.level is Level.OUTBOX) if node.is_scheduling else ""
    return _privileges(node) + scheduling


def _privileges(node: Node) -> str:
    if node.is_address_list:
        return privileges.READ
    if node.collection is not None:
        return privileges.of_rights(_rights(node))
    if node.level is Level.HOME and node.box.is_whole:
        return privileges.ALL
    return privileges.READ if node.box.is_whole else privileges.READ_OWN


def _acl(node: Node) -> str | None:
    if _owner(node) is None:
        return READABLE
    if not _rights(node) & Right.OWNER:
        return None
    return acl_of(node.box, node.collection)


def privileges_in(collection: Collection, box: OwnMailbox) -> tuple[str, str | None]:
    """Returns the caller's privileges in the resources of a collection, and their access control list, if he may read it."""
    if collection.is_address_list:
        return privileges.READ, READABLE
    rights = box.rights(collection.node)
    return privileges.of_rights(rights), acl_of(box, collection) if rights & Right.OWNER else None


def acl_of(box: OwnMailbox, collection: Collection | None = None) -> str:
    """Returns an access control list: the owner may do all, and others what was granted to them in the collection."""
    entries = [ace(href(principal_path(box.address)), privileges.markup("all"))]
    if collection is not None and box.grants is not None:
        node = collection.node
        granted = {EVERYBODY: DEFAULT_RIGHTS.get(node.kind, Right(0)), **box.grants.folders.get(node.id, {})}
        for grantee, rights in granted.items():
            who = "<D:authenticated/>" if grantee == EVERYBODY else ""
            if grantee in box.names:
                who = href(principal_path(box.names[grantee]))
            if who and rights:
                entries.append(ace(who, privileges.of_rights(rights), is_protected=False))
    return "".join(entries)


def ace(who: str, granted: str, is_protected: bool = True) -> str:
    protected = "<D:protected/>" if is_protected else ""
    return f"<D:ace><D:principal>{who}</D:principal><D:grant>{granted}</D:grant>{protected}</D:ace>"


READABLE = ace("<D:authenticated/>", privileges.READ)
"""The access control list of what all users may read, and nobody may change."""


def _proxies_for(node: Node) -> str:
    """The owners of the mailboxes to which the caller has full access."""
    if node.box.me is not node.box:
        return ""
    return "".join(href(principal_path(owner)) for owner, _ in node.box.shares.mailboxes)


def _supported_privileges(node: Node) -> str:
    """Returns the tree of privileges; those of scheduling are below "all", too."""
    if not node.is_scheduling:
        return privileges.SUPPORTED
    end = "</D:supported-privilege>"
    return privileges.SUPPORTED.removesuffix(end) + schedule_markup.supported(node.level is Level.OUTBOX) + end


def reports_of(node: Node) -> tuple[str, ...]:
    """Returns the names of the reports that a thing answers."""
    names = [dav("expand-property"), dav("acl-principal-prop-set"), dav("principal-match")]
    if node.level in (Level.ROOT, Level.PRINCIPALS):
        names += [
            dav("principal-property-search"),
            dav("principal-search-property-set"),
            calendar_server("calendarserver-principal-search"),
        ]
    if node.collection is not None and not node.is_address_list:
        names.append(dav("sync-collection"))
    if node.is_calendar or node.kind is Kind.INBOX:
        names += [caldav("calendar-query"), caldav("calendar-multiget")]
    if node.is_calendar:
        names.append(caldav("free-busy-query"))
    if node.kind is Kind.ADDRESSBOOK:
        names += [carddav("addressbook-query"), carddav("addressbook-multiget")]
    return tuple(names)


def _supported_reports(node: Node) -> str:
    return "".join(
        f"<D:supported-report><D:report>{element(name)}</D:report></D:supported-report>" for name in reports_of(node)
    )


def _ctag(node: Node) -> str | None:
    """CTag: the sync-token where there is one, and the state of the global address list, once that was asked for."""
    token = (node.box.list_state or None) if node.is_address_list else _token(node)
    return None if token is None else f'"{token}"'


def _token(node: Node) -> str | None:
    if node.collection is None or node.state is None:
        return None
    return sync_token(node.collection.id, node.state.change)


def _quota_available(node: Node) -> str | None:
    info = node.box.info
    if info is None or not info.quota or _owner(node) is None:
        return None
    return str(max(info.quota - info.used, 0))


def _quota_used(node: Node) -> str | None:
    return str(node.box.info.used) if node.box.info is not None and _owner(node) is not None else None


def _components(node: Node) -> str | None:
    names: tuple[str, ...] = schedule_markup.OUTBOX_COMPONENTS if node.level is Level.OUTBOX else ()
    if node.collection is not None and (node.is_calendar or node.is_scheduling):
        names = node.collection.components
    return "".join(f'<C:comp name="{xml.attribute(name)}"/>' for name in names) if names else None


def addresses(known: Iterable[str]) -> str:
    """Returns the hrefs of calendar-user-address-set (RFC 6638 section 2.4.1)."""
    return "".join(f"<D:href>{xml.text(f'mailto:{address}')}</D:href>" for address in known)


def _in_calendars(segment: str) -> Property:
    return lambda node: href(f"{home_path(Space.CALENDARS, node.box.address)}{segment}/")


def _of_calendars_and_scheduling(make: Property) -> Property:
    return lambda node: make(node) if node.is_calendar or node.is_scheduling else None


def email_addresses(known: Iterable[str]) -> str:
    return "".join(f"<S:email-address>{xml.text(address)}</S:email-address>" for address in known)


USER_TYPES = {RecipientType.ROOM: "ROOM", RecipientType.GROUP: "GROUP"}
"""Values of calendar-user-type (RFC 6638 section 2.4.2) of those who are no individual."""


def _own_card(node: Node) -> str | None:
    """principal-address: the caller's card, if others see it in the list."""
    box = node.box
    return (
        href(address_list.card_path(box.address, box.id)) if node.level is Level.PRINCIPAL and box.is_listed else None
    )


_CALENDAR_DATA = '<C:calendar-data content-type="text/calendar" version="2.0"/>'
_ADDRESS_DATA = "".join(
    f'<A:address-data-type content-type="text/vcard" version="{version}"/>' for version in ("3.0", "4.0")
)
_COLLATIONS = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")

LIVE: Mapping[str, Property] = {
    dav("resourcetype"): _resource_type,
    dav("displayname"): _display_name,
    dav("current-user-principal"): _caller,
    dav("principal-collection-set"): lambda node: href(f"{ROOT}principals/users/"),
    dav("owner"): _owner,
    dav("current-user-privilege-set"): _current_privileges,
    dav("supported-privilege-set"): _supported_privileges,
    dav("acl"): _acl,
    dav("acl-restrictions"): lambda node: "<D:grant-only/><D:no-invert/>",
    dav("inherited-acl-set"): lambda node: "",
    dav("supported-report-set"): _supported_reports,
    dav("supportedlock"): _of_collection(lambda node: SUPPORTED_LOCK, Kind.FILES),
    dav("lockdiscovery"): _of_collection(lambda node: discovery(node.locks), Kind.FILES),
    dav("quota-available-bytes"): _quota_available,
    dav("quota-used-bytes"): _quota_used,
    dav("add-member"): _of_collection(lambda node: href(node.path), *CALENDARS, Kind.ADDRESSBOOK),
    dav("sync-token"): _token,
    calendar_server("getctag"): _ctag,
    caldav("supported-calendar-component-set"): _components,
    caldav("supported-calendar-data"): _of_calendars_and_scheduling(lambda node: _CALENDAR_DATA),
    caldav("supported-collation-set"): _of_collection(
        lambda node: "".join(f"<C:supported-collation>{name}</C:supported-collation>" for name in _COLLATIONS),
        *CALENDARS,
    ),
    caldav("max-resource-size"): _of_calendars_and_scheduling(lambda node: str(MAX_RESOURCE)),
    caldav("schedule-calendar-transp"): _of_collection(lambda node: "<C:opaque/>", *CALENDARS),
    caldav("schedule-default-calendar-URL"): _of_collection(_in_calendars(Kind.CALENDAR.segment), Kind.INBOX),
    caldav("max-attachment-size"): _of_collection(lambda node: str(MAX_RESOURCE), *CALENDARS),
    caldav("max-attachments-per-resource"): _of_collection(lambda node: str(MAX_MANAGED), *CALENDARS),
    # Empty: attachments are on the server that has the calendars (RFC 8607 section 6.1).
    caldav("managed-attachments-server-URL"): lambda node: (
        "" if node.level is Level.HOME and node.space is Space.CALENDARS else None
    ),
    carddav("supported-address-data"): _of_collection(lambda node: _ADDRESS_DATA, Kind.ADDRESSBOOK),
    carddav("supported-collation-set"): _of_collection(
        lambda node: "".join(f"<A:supported-collation>{name}</A:supported-collation>" for name in _COLLATIONS),
        Kind.ADDRESSBOOK,
    ),
    carddav("max-resource-size"): _of_collection(lambda node: str(MAX_RESOURCE), Kind.ADDRESSBOOK),
    dav("principal-URL"): _own_principal,
    dav("alternate-URI-set"): _of_principal(lambda node: ""),
    dav("group-member-set"): _of_principal(lambda node: ""),
    dav("group-membership"): _of_principal(lambda node: ""),
    calendar_server("calendar-proxy-read-for"): _of_principal(lambda node: ""),
    calendar_server("calendar-proxy-write-for"): _of_principal(_proxies_for),
    caldav("calendar-home-set"): _of_principal(lambda node: href(home_path(Space.CALENDARS, node.box.address))),
    carddav("addressbook-home-set"): _of_principal(lambda node: href(home_path(Space.ADDRESSBOOKS, node.box.address))),
    caldav("calendar-user-address-set"): _of_principal(lambda node: addresses(node.box.addresses)),
    caldav("schedule-inbox-URL"): _of_principal(_in_calendars(Kind.INBOX.segment)),
    caldav("schedule-outbox-URL"): _of_principal(_in_calendars(OUTBOX)),
    caldav("calendar-user-type"): _of_principal(lambda node: USER_TYPES.get(node.box.recipient.type, "INDIVIDUAL")),
    calendar_server("email-address-set"): _of_principal(lambda node: email_addresses(node.box.addresses)),
    carddav("principal-address"): _own_card,
    carddav("directory-gateway"): _of_principal(lambda node: href(address_list.path_of(node.box.address))),
}
GRANTS = frozenset({dav("acl")})
"""Properties for which the rights of others are asked for."""
SHARES = frozenset({calendar_server("calendar-proxy-write-for")})
"""Properties for which it is asked what others share with the caller."""
QUOTAS = frozenset({dav("quota-available-bytes"), dav("quota-used-bytes")})
"""Properties for which the mailbox is measured."""
CTAG = calendar_server("getctag")
PRINCIPAL_ADDRESS = carddav("principal-address")
"""Properties for which the directory is asked."""
IN_ALL = tuple(dav(name) for name in ("resourcetype", "displayname", "supportedlock", "lockdiscovery"))
"""Those of an `allprop`, besides what clients have set. The documents after RFC 4918 keep their own out of it."""
SETTABLE = frozenset({dav("displayname"), caldav("schedule-calendar-transp")})
"""Live properties that clients set. Others, such as a calendar's description or colour, are kept as they come."""


def present(node: Node, name: str) -> str | None:
    """Returns the property's whole element, or None where there is none: first what a client has set, then what is computed."""
    if node.collection is not None and name in node.collection.dead:
        return node.collection.dead[name]
    if node.values is not None:
        inner = node.values.get(name)
    else:
        make = LIVE.get(name)
        inner = make(node) if make is not None else None
    return None if inner is None else element(name, inner)


def names_of(node: Node) -> list[str]:
    """Returns the names of all properties that a thing has."""
    if node.values is not None:
        return list(node.values)
    computed = [name for name, make in LIVE.items() if make(node) is not None]
    dead = node.collection.dead if node.collection is not None else ()
    return list(dict.fromkeys([*computed, *dead]))
