"""The interface of ad-topology: the services of a host ask which domain controllers there are, at which site, and whether they
answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from postern.model.directory import DomainController
from postern.protocols.dcerpc.codecs import Parameter, Wide, read_texts, read_words, write_texts, write_words
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.ndr import U32, Array, Text
from postern.protocols.dcerpc.ndr_blobs import Blobs

UP, IN_SITE, CATALOGUE = 1, 2, 4
TIMEOUT = 2.0
"""Seconds that a caller waits for an answer."""
_MAX_LATENCY = 0xFFFF_FFFF
Known = tuple[str, tuple[DomainController, ...]]
"""The site of a host, and the controllers that it knows, best first."""


class TopologyCalls(Protocol):
    """The calls by which the processes of a host ask its topology service."""

    async def controllers(self) -> Known:
        """The domain's controllers, best first, and the site of this host."""
        ...

    async def failed(self, name: str) -> None:
        """Reports that the caller could not use this controller just now."""
        ...


def _write(known: Known) -> tuple[Any, ...]:
    site, controllers = known
    return (
        site,
        write_texts([controller.fqdn for controller in controllers]),
        write_texts([controller.address for controller in controllers]),
        write_texts([controller.site for controller in controllers]),
        write_words([UP * c.up | IN_SITE * c.in_site | CATALOGUE * c.global_catalogue for c in controllers]),
        write_words([min(int(c.latency * 1_000_000), _MAX_LATENCY) for c in controllers]),
    )


def _read(
    site: str,
    names: Sequence[bytes],
    addresses: Sequence[bytes],
    sites: Sequence[bytes],
    flags: bytes,
    latencies: bytes,
) -> Known:
    columns = (read_texts(names), read_texts(addresses), read_texts(sites), read_words(flags), read_words(latencies))
    return site, tuple(
        DomainController(
            fqdn=name,
            address=address,
            site=its_site,
            in_site=bool(flag & IN_SITE),
            global_catalogue=bool(flag & CATALOGUE),
            up=bool(flag & UP),
            latency=latency / 1_000_000,
        )
        for name, address, its_site, flag, latency in zip(*columns, strict=True)
    )


KNOWN = Wide(
    (
        ("site", Text()),
        ("names", Blobs()),
        ("addresses", Blobs()),
        ("sites", Blobs()),
        ("flags", Array(U32)),
        ("latencies", Array(U32)),
    ),
    _write,
    _read,
)
AD_TOPOLOGY: Interface[TopologyCalls] = Interface(
    "postern_ad_topology",
    Syntax(UUID("8d7e3c51-9b04-4c1f-a6d2-17f05b3ae9c4"), 1),
    {
        0: Operation(
            TopologyCalls.controllers,
            "The domain's controllers, best first, and the site of this host. names are DNS names, addresses IP addresses (both\n"
            "UTF-8); flags: 1 it answers, 2 it is in this host's site, 4 it is a global catalogue; latencies in microseconds.",
            gives=KNOWN,
            timeout=TIMEOUT,
        ),
        1: Operation(
            TopologyCalls.failed,
            "The caller could not use this controller just now.",
            (Parameter("name", Text()),),
            timeout=TIMEOUT,
        ),
    },
    """Postern Active Directory topology

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: ad-topology. Callers: processes of the same host, with the kernel's word over a unix socket, or under packet
privacy (RPC_C_AUTHN_LEVEL_PKT_PRIVACY; NTLM or Kerberos) over ncacn_ip_tcp. Every operation returns 0.

This file is generated from postern.protocols.dcerpc.""",
    TopologyCalls,
    sizes=(2,),
)
