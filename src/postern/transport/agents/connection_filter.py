"""The connection filter: refuses clients by their address. It has allow and block lists of addresses and networks, each item for
ever or until a day, and asks DNS block lists (`block_lists`).

No DNS block list is asked about a client on the allow list.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from postern.model.domains import fold
from postern.protocols.smtp.reply import Reply
from postern.transport.agents.agent import LETS_PASS, Agent, IpAddress, Stranger
from postern.transport.agents.block_lists import checked_provider, parse_provider
from postern.transport.agents.settings import setting

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNTIL = " until "


class Standing(StrEnum):
    ALLOWED = "allowed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


def checked_network(text: str) -> str:
    """ "192.0.2.7", "192.0.2.0/24", "2001:db8::/32 until 2027-01-31". Raises ValueError."""
    network, until = _item(text)
    word = str(network.network_address) if network.num_addresses == 1 else str(network)
    return word if until == float("inf") else word + _UNTIL + text.partition(_UNTIL)[2].strip()


def checked_recipient(text: str) -> str:
    word = text.strip().lower()
    if not word or " " in word or word.count("@") > 1:
        raise ValueError(f"'{text}' is no recipient; write an address, or a name before the @")
    return word


@dataclass(frozen=True, slots=True)
class ConnectionFilterSettings:
    allow: tuple[str, ...] = setting((), "addresses and networks that are never filtered", checked_network)
    block: tuple[str, ...] = setting((), "addresses and networks that may not send", checked_network)
    providers: tuple[str, ...] = setting(
        (),
        "DNS block lists: ZONE, ZONE=127.0.0.2/127.0.0.4 (only these answers) or ZONE=&0.0.0.4 (bits)",
        checked_provider,
    )
    bypass: tuple[str, ...] = setting(
        ("postmaster", "abuse"), "recipients whom blocked senders may write to", checked_recipient
    )


class Networks:
    """A list of networks and the ends of their items, made for being asked often: one look per prefix length that occurs."""

    def __init__(self, items: Iterable[str]) -> None:
        self._tables: dict[tuple[int, int], dict[int, float]] = {}
        for item in items:
            network, until = _item(item)
            table = self._tables.setdefault((network.version, network.prefixlen), {})
            key = int(network.network_address)
            table[key] = max(until, table.get(key, 0.0))

    def holds(self, address: IpAddress, now: float) -> bool:
        """Whether the list holds an address. `now` is epoch seconds."""
        number = int(address)
        for (version, length), table in self._tables.items():
            if version == address.version:
                shift = address.max_prefixlen - length
                if table.get(number >> shift << shift, 0.0) > now:
                    return True
        return False


class ConnectionFilter(Agent[ConnectionFilterSettings]):
    """Asks block lists during the greetings, and refuses a listed client at RCPT, when the recipient is known."""

    name = "connection-filter"
    says = "allow and block lists of addresses, DNS block lists"
    doubt = LETS_PASS
    settings_type = ConnectionFilterSettings
    passed = "on no list"

    def __init__(self, settings: ConnectionFilterSettings) -> None:
        super().__init__(settings)
        self._allow = Networks(settings.allow)
        self._block = Networks(settings.block)
        self._providers = tuple(map(parse_provider, settings.providers))

    def at_connection(self, client: Stranger) -> None:
        if client.address is None:
            return
        standing = self.standing(client.address, client.sources.clock())
        client.is_allowed, client.is_blocked = standing is Standing.ALLOWED, standing is Standing.BLOCKED
        if standing is Standing.UNKNOWN and self._providers:
            client.sources.block_lists.begin(client.address, self._providers)

    async def at_rcpt(self, client: Stranger, address: str) -> Reply | None:
        if client.address is None or client.is_allowed or not (client.is_blocked or self._providers):
            return None
        if self.bypassed(address):
            return None
        if client.is_blocked:
            return self.refusal(client.address)
        zone = await client.sources.block_lists.listing(client.address, self._providers)
        return self.refusal(client.address, zone) if zone else None

    def standing(self, address: IpAddress, now: float) -> Standing:
        """The address's standing by our own lists, of which the allow list comes first."""
        if self._allow.holds(address, now):
            return Standing.ALLOWED
        return Standing.BLOCKED if self._block.holds(address, now) else Standing.UNKNOWN

    def bypassed(self, recipient: str) -> bool:
        lower = fold(recipient)
        return lower in self.settings.bypass or lower.partition("@")[0] in self.settings.bypass

    def refusal(self, address: IpAddress, by: str = "") -> Reply:
        """`by` names the DNS block list; "" is our own list."""
        listed = f"is listed by {by}" if by else "may not send mail here"
        return Reply(550, "5.7.1", f"The address {address} {listed}")


def client_address(host: str) -> IpAddress | None:
    """The peer's address as lists have it: an IPv4-mapped IPv6 address becomes IPv4. None for a unix socket."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _item(text: str) -> tuple[IpNetwork, float]:
    word, until, day = text.partition(_UNTIL)
    try:
        network = ipaddress.ip_network(word.strip(), strict=False)
    except ValueError:
        raise ValueError(
            f"'{word}' is neither an address nor a network (192.0.2.7, 192.0.2.0/24, 2001:db8::/32)"
        ) from None
    if not until:
        return network, float("inf")
    try:
        when = datetime.fromisoformat(day.strip())
    except ValueError:
        raise ValueError(f"'{day}' is no day; write 2027-01-31 or 2027-01-31T12:00") from None
    return network, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
