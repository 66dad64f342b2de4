"""The DNS records that a domain should publish for its mail and its clients, and what is published instead.

Pure: `domain_records` computes the records, and `compare` asks by the function that it is given.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from postern.model.organization import Organization, Role, Server
from postern.paths.deployment import filtering_role
from postern.paths.row import Tls
from postern.services.autodiscover.client_services import HTTPS, ClientServices, MailService
from postern.transport.agents.dkim_signing import zone_text

Ask = Callable[[str, str], Awaitable[tuple[str, ...] | None]]
"""Asks DNS for the records of a name and a kind, as zone files write them; () for none, None for no answer."""
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_SERVICES = {
    "imap": {Tls.IMPLICIT: "_imaps", Tls.UPGRADE: "_imap"},
    "pop3": {Tls.IMPLICIT: "_pop3s", Tls.UPGRADE: "_pop3"},
    "smtp": {Tls.IMPLICIT: "_submissions", Tls.UPGRADE: "_submission"},
}
"""The labels of RFC 6186 section 3 and RFC 8314 section 5.1."""
_NOT_HERE = "0 0 0 ."
"""An SRV record that says that there is no such service (RFC 2782)."""


@dataclass(frozen=True, slots=True)
class RecordSet:
    """The records of one name and kind ("MX"). `name` is in A-labels without a final dot; `values` are written as in a zone file,
    a TXT record's without quotes. `binding` is False where other values can be right too, such as a stricter policy. Without
    values the administrator alone knows them: the public address of a server that has a private one here."""

    name: str
    kind: str
    values: tuple[str, ...]
    purpose: str
    binding: bool = True

    @property
    def zone_lines(self) -> tuple[str, ...]:
        """Lines to paste into a zone file; a comment where the values are not known here."""
        if not self.values:
            return (f"; {self.name}. IN {self.kind} (its address on the internet)",)
        values = [zone_text(value) if self.kind == "TXT" else value for value in self.values]
        return tuple(f"{self.name}. IN {self.kind} {value}" for value in values)


class Publication(StrEnum):
    PUBLISHED = "published"
    OTHER = "other"
    """Something else is published."""
    MISSING = "missing"
    NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A set of records, and what is published in its place."""

    wanted: RecordSet
    published: tuple[str, ...]
    verdict: Publication

    @property
    def is_wrong(self) -> bool:
        """Whether mail or clients miss something: other values are wrong only where they bind."""
        return self.verdict is Publication.MISSING or (self.verdict is Publication.OTHER and self.wanted.binding)


def domain_records(
    domain: str,
    organization: Organization,
    services: ClientServices,
    keys: Iterable[tuple[str, str]] = (),
    signing: bool = False,
) -> tuple[RecordSet, ...]:
    """The records of a domain in A-labels. `keys` are the names and contents of its DKIM records; `signing` says whether one of
    them signs."""
    relays = organization.with_role(filtering_role(organization))
    sets = [
        RecordSet(domain, "MX", tuple(f"10 {relay.fqdn.lower()}." for relay in relays), "mail to the domain"),
        RecordSet(domain, "TXT", (_sender_policy(organization),), "hosts that send for it (SPF)", binding=False),
        *(RecordSet(name, "TXT", (content,), "a key that signs its mail (DKIM)") for name, content in keys),
        RecordSet(
            f"_dmarc.{domain}", "TXT", (_dmarc(domain, signing),), "policy for forged mail (DMARC)", binding=False
        ),
        *_mail_services(domain, organization, services),
        *_web_services(domain, services),
        *_asking_names(domain, organization, services),
    ]
    return *(each for each in sets if each.values), *_addresses(domain, organization, sets)


def _sender_policy(organization: Organization) -> str:
    """RFC 7208: the hosts of the MX records send too, and smart hosts do so in their place."""
    smart = (
        host.partition(":")[0]
        for connector in organization.send_connectors
        if "*" in connector.domains
        for host in connector.smart_hosts
    )
    return " ".join(("v=spf1", "mx", *(f"a:{host}" for host in dict.fromkeys(smart)), "-all"))


def _dmarc(domain: str, signing: bool) -> str:
    """RFC 7489 section 6.3. Mail that nothing signs must not be lost when it is forwarded, so the policy waits for a key."""
    return f"v=DMARC1; p={'quarantine' if signing else 'none'}; rua=mailto:postmaster@{domain}"


def _mail_services(domain: str, organization: Organization, services: ClientServices) -> Iterable[RecordSet]:
    """RFC 6186. IMAP has a better priority than POP3. That a service is not here can only be said where its servers are known: an
    edge knows itself alone."""
    ports = {"imap": services.imap, "pop3": services.pop3, "smtp": services.smtp}
    for kind, labels in _SERVICES.items():
        known = organization.with_role(Role.HUB if kind == "smtp" else Role.CLIENT_ACCESS)
        for tls, label in labels.items():
            values = tuple(_service(port, 10 * (kind == "pop3")) for port in ports[kind] if port.tls is tls)
            if values or (known and not ports[kind]):
                purpose = f"mail programs ({kind.upper()})"
                yield RecordSet(f"{label}._tcp.{domain}", "SRV", values or (_NOT_HERE,), purpose)


def _service(port: MailService, priority: int) -> str:
    return f"{priority} 1 {port.port} {port.host.lower()}."


def _web_services(domain: str, services: ClientServices) -> Iterable[RecordSet]:
    if not services.web:
        return
    parts = urlsplit(services.web)
    host, port = f"{parts.hostname}.", parts.port or HTTPS
    if port == HTTPS:
        if services.autodiscover:
            yield RecordSet(f"autodiscover.{domain}", "CNAME", (host,), "Outlook and phones (Autodiscover)")
        yield RecordSet(f"autoconfig.{domain}", "CNAME", (host,), "Thunderbird (autoconfig)")
    if services.autodiscover:
        name = f"_autodiscover._tcp.{domain}"
        yield RecordSet(name, "SRV", (f"0 0 {port} {host}",), "Outlook and phones (Autodiscover)")
    for label, url, purpose in (
        ("_caldavs", services.calendars, "calendars (CalDAV)"),
        ("_carddavs", services.contacts, "address books (CardDAV)"),
    ):
        if url:  # RFC 6764 sections 3 and 4
            yield RecordSet(f"{label}._tcp.{domain}", "SRV", (f"0 1 {port} {host}",), purpose)
            yield RecordSet(f"{label}._tcp.{domain}", "TXT", (f"path={urlsplit(url).path}",), purpose)


def _asking_names(domain: str, organization: Organization, services: ClientServices) -> Iterable[RecordSet]:
    host = urlsplit(services.web).hostname
    for name in organization.asking_names():
        if host and name.endswith(f".{domain}"):
            yield RecordSet(name, "CNAME", (f"{host}.",), "programs that have a user's certificate")


def _addresses(domain: str, organization: Organization, sets: Iterable[RecordSet]) -> Iterable[RecordSet]:
    """The addresses of the servers that the records name, if their names are in this domain, or in none of ours."""
    named = {value.rpartition(" ")[2].rstrip(".") for each in sets if each.kind != "TXT" for value in each.values}
    domains = organization.domain_types()
    for server in organization.servers:
        name = server.fqdn.lower()
        zones = [zone for zone in domains if name == zone or name.endswith(f".{zone}")]
        if name in named and (domain in zones or not zones):
            yield from _addresses_of(server, name)


def _addresses_of(server: Server, name: str) -> Iterable[RecordSet]:
    public: dict[str, list[str]] = {}
    for text in server.addresses:
        address = ipaddress.ip_address(text)
        private = address.is_loopback or address.is_link_local
        if not private and not any(address in network for network in _PRIVATE if network.version == address.version):
            public.setdefault("A" if address.version == 4 else "AAAA", []).append(str(address))
    for kind, values in (public or {"A": []}).items():
        yield RecordSet(name, kind, tuple(values), "a server's address", binding=False)


async def compare(sets: Sequence[RecordSet], ask: Ask) -> list[Comparison]:
    """Asks what is published in the place of each set."""
    return list(await asyncio.gather(*(_compared(each, ask) for each in sets)))


async def _compared(wanted: RecordSet, ask: Ask) -> Comparison:
    answer = await ask(wanted.name, wanted.kind)
    if answer is None:
        return Comparison(wanted, (), Publication.NO_ANSWER)
    if wanted.kind == "CNAME" and not answer:
        return await _same_addresses(wanted, ask)
    published = tuple(sorted(value for value in answer if _concerns(value, wanted)))
    if not published:
        return Comparison(wanted, (), Publication.MISSING)
    right = not wanted.values or set(map(_compared_by(wanted), published)) == set(
        map(_compared_by(wanted), wanted.values)
    )
    return Comparison(wanted, published, Publication.PUBLISHED if right else Publication.OTHER)


async def _same_addresses(wanted: RecordSet, ask: Ask) -> Comparison:
    """Instead of an alias a name may have the addresses of the host itself."""
    here, there = await ask(wanted.name, "A"), await ask(wanted.values[0], "A")
    if here is None or there is None:
        return Comparison(wanted, (), Publication.NO_ANSWER)
    if not here:
        return Comparison(wanted, (), Publication.MISSING)
    verdict = Publication.PUBLISHED if set(here) == set(there) else Publication.OTHER
    return Comparison(wanted, tuple(sorted(here)), verdict)


def _concerns(value: str, wanted: RecordSet) -> bool:
    """Whether a published record is of this purpose: a name has TXT records of many."""
    if wanted.kind != "TXT":
        return True
    tag = wanted.values[0].partition(";")[0].partition(" ")[0]
    name = tag.partition("=")[0].lower()
    version = tag.lower() if name == "v" else f"{name}="
    if version == "v=dkim1":
        return "p=" in value  # the version may be left out (RFC 6376 section 3.6.1)
    return value.lower().replace(" ", "").startswith(version)


def _compared_by(wanted: RecordSet) -> Callable[[str], str]:
    """The part of a value that counts: the host of an MX record, the port and host of a service; of a text all but spaces."""
    parts = {"MX": 1, "SRV": 2}.get(wanted.kind, 0)
    if wanted.kind == "TXT":
        return lambda value: "".join(value.split())
    return lambda value: " ".join(value.lower().split()[parts:])
