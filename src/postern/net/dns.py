"""Resolves names by DNS: the mail hosts of a domain (RFC 5321 section 5.1, RFC 7505), the addresses of a host, and the hosts of a
service (RFC 2782).

Wraps dnspython, which opens its own sockets, for one row of the table. Asks the organization's name servers, or the machine's.
A bounded cache keeps answers as long as their TTL says.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdataclass
import dns.rdatatype
import dns.resolver

from postern.model.domains import a_labels
from postern.paths.row import Path
from postern.protocols.authentication.questions import UNKNOWN, Answer, Found, Kind, Question

CACHED_ANSWERS = 10_000


@dataclass(frozen=True, slots=True)
class MailHost:
    """One MX record: lower `preference` comes first."""

    preference: int
    name: str


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782): lower `priority` comes first, and within one, higher `weight` oftener."""

    priority: int
    weight: int
    host: str
    port: int


class DnsError(Exception):
    """DNS gave no usable answer. `status` is the enhanced status code (RFC 3463) for mail delivery. With a status of class 4,
    another try may get an answer."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Resolver:
    """The DNS client of a process. `servers` are "address" or "address:port" ("[v6]:port"); without any, the machine's are
    asked. `timeout` is the bound in seconds of a question to one server, `lifetime` that of a question to all of them."""

    def __init__(self, row: Path, servers: Sequence[str] = (), timeout: float = 3.0, lifetime: float = 10.0) -> None:
        self.row = row
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*_endpoint(server)) for server in servers]
        self._resolver.timeout = timeout
        self._resolver.lifetime = lifetime
        self._resolver.cache = dns.resolver.LRUCache(CACHED_ANSWERS)

    async def mail_hosts(self, domain: str) -> list[MailHost]:
        """Returns the domain's MX records by preference; the domain itself where it has none (RFC 5321 section 5.1). Raises
        DnsError: 5.1.2 no such domain, 5.1.10 the domain takes no mail (RFC 7505), 4.4.3 no answer now."""
        try:
            answer = await self._resolver.resolve(_ascii(domain), "MX", search=False)
        except dns.resolver.NoAnswer:
            return [MailHost(0, domain)]
        except dns.resolver.NXDOMAIN:
            raise DnsError("5.1.2", f"The domain {domain} does not exist") from None
        except (dns.exception.DNSException, OSError) as error:
            raise DnsError("4.4.3", f"No answer from DNS about {domain}: {type(error).__name__}") from error
        hosts = [MailHost(record.preference, record.exchange.to_text(omit_final_dot=True)) for record in answer]
        hosts = [MailHost(host.preference, "" if host.name in (".", "@") else host.name.lower()) for host in hosts]
        named = sorted((host for host in hosts if host.name), key=lambda host: host.preference)
        if not named:
            # RFC 7505 section 3: a lone MX of "." says that no mail is taken.
            raise DnsError("5.1.10", f"The domain {domain} takes no mail (null MX)")
        return named

    async def addresses(self, host: str) -> list[str]:
        """Returns the addresses of a name or a literal, IPv4 and IPv6 by turns. Raises DnsError: 5.4.4 the host has none, 4.4.3
        no answer now."""
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            pass
        four, six = await asyncio.gather(self._resolve(host, "A"), self._resolve(host, "AAAA"))
        addresses = [address for pair in zip(four or (), six or (), strict=False) for address in pair]
        addresses += [address for address in (*(four or ()), *(six or ())) if address not in addresses]
        if addresses:
            return addresses
        if four is None or six is None:
            raise DnsError("4.4.3", f"No answer from DNS about {host}")
        raise DnsError("5.4.4", f"The host {host} has no address")

    async def look_up(self, question: Question) -> Answer:
        """Asks DNS a question of `protocols.authentication` or of a block list. Never raises."""
        try:
            answer = await self._resolver.resolve(_ascii(question.name), question.kind.value, search=False)
        except dns.resolver.NoAnswer:
            return Answer(Found.NOTHING)
        except dns.resolver.NXDOMAIN:
            return Answer(Found.NO_NAME)
        except (dns.exception.DNSException, OSError, DnsError):
            return UNKNOWN
        records = sorted(answer, key=lambda record: record.preference) if question.kind is Kind.MX else list(answer)
        ttl = max(0.0, answer.expiration - time.time())
        return Answer(Found.YES, tuple(_text(record, question.kind) for record in records), ttl)

    async def services(self, name: str) -> list[Service]:
        """Returns the SRV records of a name like "_ldap._tcp.dc._msdcs.example.org" by priority; [] if there are none. Raises
        DnsError 4.4.3: no answer now."""
        try:
            answer = await self._resolver.resolve(_ascii(name), "SRV", search=False)
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise DnsError("4.4.3", f"No answer from DNS about {name}: {type(error).__name__}") from error
        services = [
            Service(record.priority, record.weight, record.target.to_text(omit_final_dot=True).lower(), record.port)
            for record in answer
        ]
        # RFC 2782: a target of "." says that the service is decidedly not there.
        services = [service for service in services if service.host not in (".", "@", "")]
        return sorted(services, key=lambda service: (service.priority, -service.weight, service.host))

    async def records(self, name: str, kind: str) -> tuple[str, ...] | None:
        """Returns the records of a name as a zone file writes them ("10 mx.example.org." for the kind "MX"), the strings of a TXT
        record joined and read as Latin-1; () if there are none, None if there is no answer. Asks anew: nothing comes from the
        cache."""
        resolver = self._resolver
        try:
            question = dns.name.from_text(_ascii(name)), dns.rdatatype.from_text(kind)
            resolver.cache.flush((*question, dns.rdataclass.IN))
            answer = await resolver.resolve(*question, search=False)
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return ()
        except (dns.exception.DNSException, OSError, DnsError):
            return None
        return tuple(_text(record, Kind.TXT) if kind == Kind.TXT else record.to_text() for record in answer)

    async def _resolve(self, host: str, kind: str) -> list[str] | None:
        """Returns the addresses of a host; [] if there is no such record, None if there is no answer."""
        try:
            answer = await self._resolver.resolve(_ascii(host), kind, search=False)
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return []
        except (dns.exception.DNSException, OSError):
            return None
        return [record.address for record in answer]


def _text(record: Any, kind: Kind) -> str:
    match kind:
        case Kind.TXT:
            # Latin-1: no octet is lost, and none is refused.
            return b"".join(record.strings).decode("latin-1")
        case Kind.MX:
            return str(record.exchange.to_text(omit_final_dot=True))
        case Kind.PTR:
            return str(record.target.to_text(omit_final_dot=True))
        case _:
            return str(record.address)


def _ascii(name: str) -> str:
    """Replaces U-labels by A-labels (RFC 5890). Raises DnsError 5.1.2 for a name that cannot be encoded."""
    if name.isascii():
        return name
    encoded = a_labels(name)
    if not encoded.isascii():
        raise DnsError("5.1.2", f"{name} is no domain name")
    return encoded


def _endpoint(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return server.strip("[]"), 53
