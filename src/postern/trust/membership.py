"""Finds which authenticated callers are servers of ours: the members of one group of the domain, whose SID a ticket or a verdict
carries. Where neither carries groups (a realm without PAC, the private directory), the directory says it.

Reads the group's SID once. The caller has looked up before whether the account may log on at all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable

from postern.model.directory import Account, DirectoryUnavailable
from postern.model.security import Identity, Mechanism, PrincipalKind

GroupSid = Callable[[], Awaitable[str | None]]
"""The SID of the servers' group, None while there is none. May raise DirectoryUnavailable."""
_AGAIN = 60.0
"""Seconds until a group that was not there is looked for again."""


class Membership:
    """The kinds of accounts. Without `group` only the directory says which accounts are servers."""

    def __init__(self, group: GroupSid | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._group = group
        self._clock = clock
        self._sid: str | None = None
        self._not_before = 0.0

    async def identity(self, account: Account, mechanism: Mechanism, groups: frozenset[str] = frozenset()) -> Identity:
        """Returns the identity of an authenticated account. Never raises: without the group's SID the directory decides."""
        is_server = account.is_server
        if not is_server and groups and account.name.endswith("$"):
            is_server = await self._group_sid() in groups
        kind = PrincipalKind.SERVER if is_server else PrincipalKind.USER
        return Identity(kind, account.name, mechanism, account.guid, groups, account.credentials)

    async def _group_sid(self) -> str | None:
        if self._sid is None and self._group is not None and self._clock() >= self._not_before:
            self._not_before = self._clock() + _AGAIN
            with contextlib.suppress(DirectoryUnavailable):
                self._sid = await self._group()
        return self._sid
