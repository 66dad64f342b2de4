"""The endpoint mapper tells anyone which interface of this host answers on which port of the dynamic range.

It computes that from the organization: the RPC port of each part has a fixed place in the range, so that every process knows all
ports.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from uuid import UUID

from postern.model.organization import HostService, Organization, Role, Server
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.interfaces.endpoint import (
    ENDPOINT_MAPPER,
    LOOKUP,
    MAP,
    MAX_ENTRIES,
    NO_HANDLE,
    NOT_REGISTERED,
    Endpoint,
    LookupRequest,
    Tower,
    lookup_reply,
    map_reply,
    read_lookup,
    read_map,
)
from postern.protocols.dcerpc.interfaces.published import SERVED
from postern.protocols.dcerpc.pdu import NDR
from postern.services.rpc.call import Call, Procedure


def rpc_port(organization: Organization, part: Role | HostService) -> int:
    """The real port number of a part's RPC services. Raises ValueError if the range is too small for it."""
    place = [served for served, _ in SERVED].index(part)
    first, last = organization.rpc_ports
    if first + place > last:
        raise ValueError(f"the RPC range {first}-{last} has no place for {part}")
    return first + place


def endpoints(organization: Organization, server: Server) -> list[Endpoint]:
    """Lists every interface that this host serves, with its port."""
    here = {*server.roles, *organization.services(server)}
    return [
        Endpoint(interface.syntax, rpc_port(organization, part), f"Postern {part}")
        for part, interfaces in SERVED
        if part in here
        for interface in interfaces
    ]


class EndpointMapper:
    """Answers ept_lookup and ept_map. The handle of a lookup holds the place where it goes on, so nothing is kept for a
    caller."""

    syntax = ENDPOINT_MAPPER
    row = None

    def __init__(self, known: Sequence[Endpoint]) -> None:
        self._known = tuple(known)

    def procedure(self, opnum: int) -> Procedure | None:
        return {LOOKUP: self._lookup, MAP: self._map}.get(opnum)

    async def _lookup(self, call: Call) -> bytes:
        request = read_lookup(call.stub)
        most = min(request.most, MAX_ENTRIES)
        wanted = [endpoint for endpoint in self._known if _wanted(endpoint.syntax, request)]
        start = int.from_bytes(request.handle[16:], "big")
        page = wanted[start : start + most]
        handle = NO_HANDLE
        if start + len(page) < len(wanted):
            # A constant UUID of ours with the place at its end; a context handle begins with four attribute bytes.
            handle = bytes(4) + _HANDLE.bytes[:12] + (start + len(page)).to_bytes(4, "big")
        address = _ipv4(call.caller.local.host)
        entries = [(endpoint, _tower(endpoint, address)) for endpoint in page]
        return lookup_reply(handle, entries, request.most, 0 if page else NOT_REGISTERED)

    async def _map(self, call: Call) -> bytes:
        request = read_map(call.stub)
        if request is None:
            return map_reply((), 0, NOT_REGISTERED)
        wanted = request.tower
        towers: list[Tower] = []
        if (wanted.transfer.uuid, wanted.transfer.major) == (NDR.uuid, NDR.major):
            address = _ipv4(call.caller.local.host)
            towers = [_tower(endpoint, address) for endpoint in self._known if _serves(endpoint.syntax, wanted.syntax)]
        towers = towers[: min(request.most, MAX_ENTRIES)]
        return map_reply(towers, request.most, 0 if towers else NOT_REGISTERED)


def _tower(endpoint: Endpoint, address: bytes) -> Tower:
    return Tower(endpoint.syntax, NDR, endpoint.port, address)


_HANDLE = UUID("5b1f9f0a-6a77-4d0c-9d0e-2f6c00000000")


def _serves(have: Syntax, want: Syntax) -> bool:
    return have.uuid == want.uuid and have.major == want.major and want.minor <= have.minor


def _wanted(have: Syntax, request: LookupRequest) -> bool:
    """Whether an interface fits a request, by the version options of C706 appendix O. No endpoint of ours has an object."""
    want = request.syntax
    if request.inquiry == 0:
        return True
    if request.inquiry != 1 or want is None or have.uuid != want.uuid:
        return False
    match request.option:
        case 1:
            return True
        case 2:
            return have.major == want.major and have.minor >= want.minor
        case 3:
            return (have.major, have.minor) == (want.major, want.minor)
        case 4:
            return have.major == want.major
        case 5:
            return (have.major, have.minor) <= (want.major, want.minor)
    return False


def _ipv4(host: str) -> bytes:
    """The four bytes of a tower's address floor. For IPv6 they are zero, and the client keeps the address that it asked."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bytes(4)
    return address.packed if address.version == 4 else bytes(4)
