"""Tells the parts of one process when the organization has changed."""

from __future__ import annotations

from collections.abc import Callable

from postern.model.organization import Organization


class OrganizationFeed:
    """The organization as this process knows it now: an immutable value, replaced as a whole by whoever reads the directory."""

    def __init__(self, organization: Organization) -> None:
        self.current = organization
        self._followers: list[Callable[[Organization], None]] = []

    def follow(self, follower: Callable[[Organization], None]) -> None:
        """Calls `follower` now, and again whenever the organization has changed."""
        self._followers.append(follower)
        follower(self.current)

    def tell(self, organization: Organization) -> None:
        """Replaces the organization and calls the followers, unless it is equal to what they know."""
        if organization != self.current:
            self.current = organization
            for follower in self._followers:
                follower(organization)
