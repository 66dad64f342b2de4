"""A follower hears of the organization at once, and of each other one once."""

from __future__ import annotations

from postern.model.organization import AcceptedDomain, Organization
from postern.services.organization_feed import OrganizationFeed
from tests.transport.world import organization


def test_followers_hear_at_once_and_of_changes_only() -> None:
    first = organization()
    other = first.with_domains([AcceptedDomain("new.test")])
    feed = OrganizationFeed(first)
    early: list[Organization] = []
    late: list[Organization] = []
    feed.follow(early.append)
    feed.tell(first.with_domains([]))
    assert early == [first], "equal is the same"
    feed.tell(other)
    feed.follow(late.append)
    assert (early, late) == ([first, other], [other])
