"""Finds the groups that an entry is in, level by level, for both adapters.

The rule "member of, in chain" of Active Directory (MS-ADTS section 3.1.1.3.4.4.3) is not used: it makes a controller read all
groups, and OpenLDAP does not have it. tokenGroups leaves out groups that are not for security.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.directory.entries import guid_filter, guid_of
from postern.directory.ldap.client import SUBTREE, Client, escape
from postern.model.directory import MAX_GROUPS
from postern.model.domains import fold

_AT_ONCE = 50
"""Distinguished names in one filter."""
_MAX_LEVELS = 16
"""Groups within each other that are followed."""


async def groups_of(client: Client, base: str, guid: UUID) -> tuple[UUID, ...]:
    """Does as `model.directory.Groups.groups_of` says, with a search for each _AT_ONCE groups; it stops at MAX_GROUPS groups, and
    after _MAX_LEVELS levels."""
    groups: dict[str, UUID] = {}
    level = [entry.dn for entry in await client.search(base, SUBTREE, guid_filter([guid]), ("objectGUID",))]
    for _ in range(_MAX_LEVELS):
        level = await _above(client, base, level, groups)
        if not level:
            break
    return tuple(groups.values())[:MAX_GROUPS]


async def _above(client: Client, base: str, names: Sequence[str], groups: dict[str, UUID]) -> list[str]:
    """Adds the groups that have one of these entries as a member to `groups`, by name. Returns the names of the new ones."""
    new: list[str] = []
    for start in range(0, len(names), _AT_ONCE):
        room = MAX_GROUPS - len(groups)
        if room <= 0:
            break
        members = "".join(f"(member={escape(name)})" for name in names[start : start + _AT_ONCE])
        which = f"(&(objectClass=group)(|{members}))"
        # Of what is known already, the answer may have a part again.
        for entry in await client.search_some(base, SUBTREE, which, ("objectGUID",), room + len(groups)):
            folded = fold(entry.dn)
            if folded not in groups and "objectGUID" in entry.attributes:
                groups[folded] = guid_of(entry.attributes)
                new.append(entry.dn)
    return new
