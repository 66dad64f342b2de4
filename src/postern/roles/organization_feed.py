"""The organization as one process knows it now, for those parts of it that must hear when it is another."""

from __future__ import annotations

from collections.abc import Callable

from postern.model.organization import Organization


class OrganizationFeed:
    """One a process; whoever reads the directory calls `tell`."""

    def __init__(self, organization: Organization) -> None:
        self._current = organization
        self._followers: list[Callable[[Organization], None]] = []

    def follow(self, follower: Callable[[Organization], None]) -> None:
        """Calls it now, and again whenever the organization is another one."""
        self._followers.append(follower)
        follower(self._current)

    def tell(self, organization: Organization) -> None:
        if organization != self._current:
            self._current = organization
            for follower in self._followers:
                follower(organization)
