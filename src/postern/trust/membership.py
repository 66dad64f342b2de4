"""Tells servers of ours among the authenticated callers: members of one group of the domain, by its SID in a ticket or a verdict,
or by the directory's own word where neither carries groups (a realm without PAC, the private directory).

Reads the group's SID once; whether the account may log on at all was looked up before.
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
    """`group` None: only the directory says who is a server."""

    def __init__(self, group: GroupSid | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._group = group
        self._clock = clock
        self._sid: str | None = None
        self._not_before = 0.0

    async def identity(
        self,
        account: Account,
        mechanism: Mechanism,
        groups: frozenset[str] = frozenset(),
        ends: float | None = None,
    ) -> Identity:
        """Never raises: without the group's SID the directory's word counts."""
        server = account.is_server
        if not server and groups and account.name.endswith("$"):
            server = await self._known() in groups
        kind = PrincipalKind.SERVER if server else PrincipalKind.USER
        return Identity(kind, account.name, mechanism, account.guid, groups, account.credentials, ends)

    async def _known(self) -> str | None:
        if self._sid is None and self._group is not None and self._clock() >= self._not_before:
            self._not_before = self._clock() + _AGAIN
            with contextlib.suppress(DirectoryUnavailable):
                self._sid = await self._group()
        return self._sid
