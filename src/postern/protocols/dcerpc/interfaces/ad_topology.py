"""The interface of ad-topology: which domain controllers there are, where they stand and how they fare; asked by the services of
the same host."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from postern.model.directory import DomainController
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.ndr import U32, Array, Blobs, Text

AD_TOPOLOGY = Interface(
    "postern_ad_topology",
    Syntax(UUID("8d7e3c51-9b04-4c1f-a6d2-17f05b3ae9c4"), 1),
    {
        0: Operation(
            "controllers",
            (),
            (
                ("site", Text()),
                ("names", Blobs()),
                ("addresses", Blobs()),
                ("sites", Blobs()),
                ("flags", Array(U32)),
                ("latencies", Array(U32)),
            ),
            "The domain's controllers, best first, and the site of this host. names are DNS names, addresses IP addresses (both\n"
            "UTF-8); flags: 1 it answers, 2 it is in this host's site, 4 it is a global catalogue; latencies in microseconds.",
        ),
        1: Operation(
            "failed",
            (("name", Text()),),
            (),
            "The caller could not use this controller just now.",
        ),
    },
    """Postern Active Directory topology

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: ad-topology. Callers: processes of the same host, with the kernel's word over a unix socket, or under packet
privacy (RPC_C_AUTHN_LEVEL_PKT_PRIVACY; NTLM or Kerberos) over ncacn_ip_tcp. Every operation returns 0.

This file is generated from postern.protocols.dcerpc.""",
)

UP, IN_SITE, CATALOGUE = 1, 2, 4
_MAX_LATENCY = 0xFFFF_FFFF


def values(site: str, controllers: Sequence[DomainController]) -> tuple[Any, ...]:
    """The [out] parameters of `controllers`, with the returned number."""
    flags = [UP * one.up | IN_SITE * one.in_site | CATALOGUE * one.global_catalogue for one in controllers]
    latencies = [min(int(one.latency * 1_000_000), _MAX_LATENCY) for one in controllers]
    return (
        site,
        [one.fqdn.encode() for one in controllers],
        [one.address.encode() for one in controllers],
        [one.site.encode() for one in controllers],
        struct.pack(f"<{len(flags)}I", *flags),
        struct.pack(f"<{len(latencies)}I", *latencies),
        0,
    )


def read_values(outs: Sequence[Any]) -> tuple[str, tuple[DomainController, ...]]:
    """The site and the controllers. Raises ValueError for what is no such answer."""
    site, names, addresses, sites, flag_words, latency_words, _ = outs
    if len({len(names), len(addresses), len(sites), len(flag_words) // 4, len(latency_words) // 4}) != 1:
        raise ValueError("arrays of different sizes")
    flags, latencies = (struct.unpack(f"<{len(words) // 4}I", words) for words in (flag_words, latency_words))
    return site, tuple(
        DomainController(
            fqdn=names[i].decode(),
            address=addresses[i].decode(),
            site=sites[i].decode(),
            in_site=bool(flags[i] & IN_SITE),
            global_catalogue=bool(flags[i] & CATALOGUE),
            up=bool(flags[i] & UP),
            latency=latencies[i] / 1_000_000,
        )
        for i in range(len(names))
    )
