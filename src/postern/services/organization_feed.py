"""Tells the parts of one process when the organization has changed."""

from __future__ import annotations

from collections.abc import Callable

from postern.model.organization import Organization
from postern.telemetry.log import Event, log


class OrganizationFeed:
    """The organization as this process knows it now: an immutable value, replaced as a whole by whoever reads the directory."""

    def __init__(self, organization: Organization) -> None:
        self.current = organization
        self._followers: list[Callable[[Organization], None]] = []

    def follow(self, follower: Callable[[Organization], None]) -> Callable[[], None]:
        """Calls `follower` now, and again whenever the organization has changed. Returns a function that ends this, and does
        nothing when it is called again."""
        follower(self.current)
        self._followers.append(follower)

        def end() -> None:
            if follower in self._followers:
                self._followers.remove(follower)

        return end

    def tell(self, organization: Organization) -> None:
        """Replaces the organization and calls the followers, unless it is equal to what they know. A follower that
        raises is logged, and the others hear of it all the same."""
        if organization != self.current:
            self.current = organization
            for follower in tuple(self._followers):
                try:
                    follower(organization)
                except Exception as error:
                    log(Event.FOLLOWER_FAILED, follower=repr(follower), error=repr(error), exc_info=error)
