"""The categorizer decides where each recipient of a message goes next. Pure.

Reads the organization, this server's role in it, and the directory's answers. A hub leads to mailboxes, to other sites' hubs,
and outside; where the organization has edges, outside lies behind them. An edge leads inside or outside by domain alone. A
Resolution says which addresses it `needs`; its caller asks the directory and gives the `answer`, until nothing is needed; then
`routed` has each final recipient once, with its next hop or its failure. The dispatcher asks the directory and carries mail to
the hops.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from postern.model.directory import Recipient, RecipientType
from postern.model.domains import a_labels, fold
from postern.model.mail import Action, HopKind, NextHop, RecipientOutcome
from postern.model.organization import DomainType, Organization, Role, SendConnector, Server

MAX_DEPTH = 20
"""Groups within groups, forwardings after forwardings."""
MAX_EXPANSION = 20_000
"""Addresses that one message may grow to."""


class Target(NamedTuple):
    """An envelope's recipient to resolve. `final`: it came out of an expansion, so that only its next hop is needed."""

    number: int
    address: str
    final: bool = False
    attempts: int = 0


class Routed(NamedTuple):
    """One final recipient. `source` is the Target it stands for; `direct`: it is that target itself. `mailbox` is the objectGUID
    of a mailbox of ours, `quota` its bound in octets, 0 for the organization's default. Either `hop` or `failure` is there."""

    source: int
    direct: bool
    address: str
    hop: NextHop | None = None
    mailbox: UUID | None = None
    failure: RecipientOutcome | None = None
    quota: int = 0


class _Node(NamedTuple):
    target: Target
    address: str
    trail: tuple[str, ...] = ()
    """The addresses of the groups and forwardings that led here, lower case."""


class Categorizer:
    """Makes Resolutions for one hub or edge of an organization. `server` is its name."""

    def __init__(self, organization: Organization, server: str) -> None:
        self.server = server
        self._mailbox_hops: dict[str, NextHop] = {}
        self.reorganize(organization)
        own = organization.server(server)
        self._site = own.site
        self.is_edge = Role.EDGE in own.roles
        self._to_internet = "edge-to-edge" if self.is_edge else "hub-to-internet"

    def reorganize(self, organization: Organization) -> None:
        """Takes over changed domains, servers or send connectors. This server stays in its role and site."""
        self.organization = organization
        self.domains = organization.domain_types()
        self._mailbox_hops.clear()

    def resolve(self, targets: Iterable[Target], size: int, authenticated: bool, path: str = "") -> Resolution:
        """Begins the resolution of a message of `size` bytes. `authenticated` tells that its sender proved who it is; `path` is
        the id of the row that it came on."""
        return Resolution(self, targets, size, authenticated, path)

    def mailbox_hop(self, database: str) -> NextHop:
        """The hop to a database: directly in our own site, by a hub in another site."""
        hop = self._mailbox_hops.get(database)
        if hop is None:
            hop = self._mailbox_hops[database] = self._find_mailbox_hop(database)
        return hop

    def _find_mailbox_hop(self, database: str) -> NextHop:
        server = self.organization.server_of(database)
        site = server.site if server is not None else self._site
        hubs = self._in_sites(Role.HUB, {site})
        if site != self._site and hubs:
            return NextHop(HopKind.HUB, hubs, "hub-to-hub")
        return NextHop(HopKind.MAILBOX, (database,), "hub-to-mailbox-mapi")

    def _in_sites(self, role: Role, sites: Container[str]) -> tuple[str, ...]:
        """The names of the servers with this role in these sites."""
        return tuple(server.name for server in self.organization.with_role(role) if server.site in sites)

    def inside_hop(self) -> NextHop | None:
        """An edge's hop inside: to any hub of the site that it is subscribed to, which is its own site in the organization."""
        hubs = self._in_sites(Role.HUB, {self._site})
        return NextHop(HopKind.HUB, hubs, "edge-to-hub") if hubs else None

    def outside_hop(self, domain: str, attempts: int) -> NextHop | None:
        """The hop by the send connector whose domain matches best; None if none matches. Smart hosts take turns by attempt."""
        connector = max(self.organization.send_connectors, key=lambda c: _match(c, domain), default=None)
        if connector is None or _match(connector, domain) < 0:
            return None
        edges = self.organization.with_role(Role.EDGE)
        if edges and not self.is_edge:
            return self._edge_hop([edge for edge in edges if edge.name == connector.server] or edges)
        if connector.server and connector.server != self.server and not self.is_edge:
            return NextHop(HopKind.HUB, (connector.server,), "hub-to-hub")
        if connector.smart_hosts:
            host = connector.smart_hosts[attempts % len(connector.smart_hosts)]
            return NextHop(HopKind.SMART_HOST, (host,), self._to_internet)
        return NextHop(HopKind.SMTP, (domain,), self._to_internet)

    def _edge_hop(self, edges: Sequence[Server]) -> NextHop:
        """The hop to an edge. An edge belongs to a site: hubs there send to it, others send to those hubs. A site without a hub
        is a mistake; there the edge is asked itself, and its refusal keeps the mail waiting until that is put right."""
        near = [edge.name for edge in edges if edge.site == self._site]
        hubs = self._in_sites(Role.HUB, {edge.site for edge in edges})
        if not near and hubs:
            return NextHop(HopKind.HUB, hubs, "hub-to-hub")
        return NextHop(HopKind.EDGE, tuple(near or [edge.name for edge in edges]), "hub-to-edge")


def _match(connector: SendConnector, domain: str) -> int:
    """Rates how well a connector's best pattern fits: -1 not at all, 0 for "*", else longer is better and exact is best."""
    best = -1
    for pattern in connector.domains:
        pattern = a_labels(pattern)
        if pattern == "*":
            best = max(best, 0)
        elif pattern == domain:
            best = max(best, 1000)
        elif pattern.startswith("*.") and domain.endswith(pattern[1:]):
            best = max(best, len(pattern))
    return best


class Resolution:
    """One message's recipients on their way to next hops."""

    def __init__(
        self, categorizer: Categorizer, targets: Iterable[Target], size: int, authenticated: bool, path: str = ""
    ) -> None:
        self._categorizer = categorizer
        self._from_inside = path == "hub-to-edge"
        self._size = size
        self._authenticated = authenticated
        self.routed: list[Routed] = []
        self.expanded: dict[int, str] = {}
        """Targets that others stand for, by number, with the text for the tracking log."""
        self._waiting: list[tuple[_Node, tuple[str, ...]]] = []
        """Recipients to look up, with the addresses under which each may stand."""
        self._seen: set[str | UUID] = set()
        """Final destinations that a recipient has already."""
        self._opened: dict[str, int] = {}
        """Groups whose members are in already, with the number of the target that brought them."""
        self._groups: dict[int, _Node] = {}
        self._reached: set[int] = set()
        """Targets that somebody stands for, by number: a next hop, a failure, or another target's recipients."""
        self._count = 0
        self._overflowed: set[int] = set()
        for target in targets:
            self._place(_Node(target, target.address))

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be looked up before all is resolved."""
        return bool(self._waiting)

    @property
    def needs(self) -> set[str]:
        """Addresses to look up now, lower case; empty when all is resolved."""
        return {key for _, keys in self._waiting for key in keys}

    def answer(self, recipients: Mapping[str, Recipient]) -> None:
        """Takes the directory's answer to `needs`: the recipients that it knows, by the address asked for."""
        waiting, self._waiting = self._waiting, []
        for node, keys in waiting:
            for key in keys:
                recipient = recipients.get(key)
                if recipient is not None:
                    self._known(node, recipient)
                    break
            else:
                self._unknown(node)
        if not self._waiting:
            self._report_empty()

    def _report_empty(self) -> None:
        """Fails groups in which nobody is, at any depth: mail to one must not vanish."""
        for number, node in self._groups.items():
            if number not in self._reached:
                self.expanded.pop(number, None)
                self._fail(node, "5.2.4", "The distribution list has no members")

    def _keys(self, address: str) -> tuple[str, ...]:
        """The keys under which an address of ours may stand: itself, without its "+tag", and postmaster everywhere (RFC 5321
        section 4.5.1)."""
        key = fold(address)
        local, _, domain = key.rpartition("@")
        if local == "postmaster":
            return key, fold(f"postmaster@{self._categorizer.organization.default_domain}")
        user, plus, _ = local.partition("+")
        return (key, f"{user}@{domain}") if plus and user else (key,)

    def _place(self, node: _Node) -> None:
        """Asks the directory about an address of ours, and gives another to a send connector."""
        if "@" not in node.address:
            # RFC 5321 section 2.3.5: only postmaster may come without a domain.
            node = _Node(node.target, f"{node.address}@{self._categorizer.organization.default_domain}", node.trail)
        self._count += 1
        if self._count > MAX_EXPANSION:
            if node.target.number not in self._overflowed:
                self._overflowed.add(node.target.number)
                self._fail(node, "5.2.4", "The distribution list is too large")
        elif self._categorizer.is_edge:
            self._at_edge(node)
        elif _domain(node.address) in self._categorizer.domains:
            self._waiting.append((node, self._keys(node.address)))
        else:
            self._outside(node)

    def _at_edge(self, node: _Node) -> None:
        """Places a recipient at an edge. Mail that a hub gave to the edge goes outside whatever the domain: it must not come
        back. So does mail for domains that are relayed for others outside."""
        kind = self._categorizer.domains.get(_domain(node.address), DomainType.EXTERNAL_RELAY)
        if self._from_inside or kind is DomainType.EXTERNAL_RELAY:
            self._outside(node)
            return
        hop = self._categorizer.inside_hop()
        if hop is None:
            self._fail(node, "5.4.4", "No hub transport server stands behind this edge")
        else:
            self._route(node, fold(node.address), hop)

    def _outside(self, node: _Node) -> None:
        domain = _domain(node.address)
        hop = self._categorizer.outside_hop(domain, node.target.attempts)
        if hop is None:
            self._fail(node, "5.4.4", f"No send connector leads to {domain}")
        else:
            local = node.address.rpartition("@")[0]
            self._route(node, f"{local}@{domain}", hop)

    def _unknown(self, node: _Node) -> None:
        if self._categorizer.domains.get(_domain(node.address)) is DomainType.AUTHORITATIVE:
            self._fail(node, "5.1.1", "There is no such recipient here")
        else:
            self._outside(node)

    def _known(self, node: _Node, recipient: Recipient) -> None:
        if recipient.accept_from_authenticated_only and not self._authenticated and not node.trail:
            self._fail(node, "5.7.1", "The recipient accepts mail from authenticated senders only")
        elif 0 < recipient.max_receive < self._size:
            self._fail(node, "5.2.3", f"The message is larger than the {recipient.max_receive} bytes that it accepts")
        elif recipient.type is RecipientType.GROUP:
            self._open_group(node, recipient)
        elif recipient.forward_to and not node.target.final:
            if recipient.deliver_and_forward:
                self._deliver(node, recipient)
            self._follow(node, recipient, recipient.forward_to)
        elif recipient.database:
            self._deliver(node, recipient)
        elif recipient.target:
            self._follow(node, recipient, recipient.target)
        else:
            self._fail(node, "5.1.1", "The recipient has no mailbox and no other address")

    def _deliver(self, node: _Node, recipient: Recipient) -> None:
        if recipient.database:
            hop = self._categorizer.mailbox_hop(recipient.database)
            self._route(node, recipient.guid, hop, recipient.guid, recipient.quota)

    def _open_group(self, node: _Node, group: Recipient) -> None:
        key = fold(group.primary)
        self.expanded.setdefault(node.target.number, group.primary)
        if not node.trail:
            self._groups[node.target.number] = node
        if key in self._opened:
            if self._opened[key] != node.target.number:
                self._reached.add(node.target.number)
            return
        if len(node.trail) >= MAX_DEPTH:
            self._fail(node, "5.2.4", "Distribution lists are nested too deep")
            return
        self._opened[key] = node.target.number
        for member in group.members:
            self._place(_Node(node.target, member, (*node.trail, key)))

    def _follow(self, node: _Node, recipient: Recipient, address: str) -> None:
        """Goes on with a forwarding, or with a contact's outside address."""
        key = fold(recipient.primary)
        self.expanded.setdefault(node.target.number, address)
        if key in node.trail or len(node.trail) >= MAX_DEPTH:
            # RFC 3463 X.4.6: routing loop detected.
            self._fail(node, "5.4.6", f"Forwarding of {recipient.primary} leads back to itself")
        else:
            self._place(_Node(node.target, address, (*node.trail, key)))

    def _route(self, node: _Node, key: str | UUID, hop: NextHop, mailbox: UUID | None = None, quota: int = 0) -> None:
        """Records a final destination, once. `key` tells them apart: an address, or a mailbox of ours."""
        self._reached.add(node.target.number)
        if key in self._seen:
            # Someone who is reached twice, by name and by a group, gets the message once.
            if not node.trail:
                self.expanded.setdefault(node.target.number, "duplicate")
            return
        self._seen.add(key)
        self.routed.append(Routed(node.target.number, not node.trail, node.address, hop, mailbox, quota=quota))

    def _fail(self, node: _Node, status: str, text: str) -> None:
        self._reached.add(node.target.number)
        outcome = RecipientOutcome(node.address, Action.FAILED, status, f"550 {status} {text}")
        self.routed.append(Routed(node.target.number, not node.trail, node.address, failure=outcome))


def _domain(address: str) -> str:
    return a_labels(address.rpartition("@")[2])
