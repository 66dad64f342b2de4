"""Reads from NDR what a domain controller tells about a user who logged on: KERB_VALIDATION_INFO (MS-PAC 2.5) and
NETLOGON_VALIDATION_SAM_INFO2 (MS-NRPC 2.2.1.4.12). They differ only in their last members. The bytes that are there bound the
work.

`protocols.kerberos.pac` finds the first in a ticket, `netlogon` the second in an answer. `trust` decides what a membership
permits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from postern.protocols.dcerpc.interfaces.windows_types import Counted, take_sid
from postern.protocols.dcerpc.ndr import NdrError, Reader

GUEST = 0x1
"""A bit of UserFlags: the user got the guest account, and has not authenticated (MS-PAC 2.5)."""
_ENABLED, _DENY_ONLY = 0x4, 0x10
"""SE_GROUP_*: MS-PAC 2.2.1."""


@dataclass(frozen=True, slots=True)
class LogonInformation:
    """A user as the controller knows him. `name` is sAMAccountName, `domain` the NetBIOS domain, `sid` the user's SID. `groups`
    are the SIDs of enabled groups, without the user's. `session_key` is as it was on the wire (16 bytes)."""

    name: str
    domain: str
    sid: str
    groups: frozenset[str]
    flags: int
    session_key: bytes = field(repr=False)


def read_validation(data: Reader, ticket: bool) -> LogonInformation:
    """Reads the structure at the reader's place: that of a `ticket` (KERB_VALIDATION_INFO), or netlogon's. Raises NdrError.

    Bound: linear in the octets that are there.
    """
    data.align(4)
    data.take(48)  # six times
    names = [Counted(data) for _ in range(6)]
    data.take(4)  # LogonCount, BadPasswordCount
    user, primary, group_count, groups_at = (data.u32() for _ in range(4))
    flags, session_key = data.u32(), data.take(16)
    server, domain = Counted(data), Counted(data)
    domain_sid_at = data.u32()
    data.take(40)  # reserved and accounting members
    extra_count, extra_at = data.u32(), data.u32()
    resource_sid_at = resource_count = resource_at = 0
    if ticket:
        resource_sid_at, resource_count, resource_at = data.u32(), data.u32(), data.u32()
    # From here the targets of the pointers follow, in their order.
    name, *_ = [counted.text() for counted in names]
    rids = _memberships(data, group_count, groups_at)
    server.text()
    domain_name = domain.text()
    if not domain_sid_at:
        raise NdrError("a logon without its domain")
    domain_sid = take_sid(data)
    groups = {f"{domain_sid}-{rid}" for rid in (*rids, primary)}
    groups.update(_extra_sids(data, extra_count, extra_at))
    resource_sid = take_sid(data) if resource_sid_at else ""
    for rid in _memberships(data, resource_count, resource_at):
        if resource_sid:
            groups.add(f"{resource_sid}-{rid}")
    return LogonInformation(name, domain_name, f"{domain_sid}-{user}", frozenset(groups), flags, session_key)


def _counts(attributes: int) -> bool:
    return bool(attributes & _ENABLED) and not attributes & _DENY_ONLY


def _memberships(data: Reader, count: int, pointer: int) -> list[int]:
    """Reads GROUP_MEMBERSHIP (MS-PAC 2.2.2); returns the relative identifiers of the groups that count."""
    if not pointer:
        return []
    if data.u32() != count:
        raise NdrError("counts that differ")
    return [rid for rid, attributes in struct.iter_unpack("<II", data.take(8 * count)) if _counts(attributes)]


def _extra_sids(data: Reader, count: int, pointer: int) -> list[str]:
    """Reads KERB_SID_AND_ATTRIBUTES (MS-PAC 2.2.1); returns the SIDs that count."""
    if not pointer:
        return []
    if data.u32() != count:
        raise NdrError("counts that differ")
    entries = list(struct.iter_unpack("<II", data.take(8 * count)))
    memberships = [(take_sid(data), attributes) for at, attributes in entries if at]
    return [sid for sid, attributes in memberships if _counts(attributes)]
