"""Ways through an organization with edges: out by the edge of the site, in by any hub behind it, and never in circles."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from postern.model.mail import HopKind, NextHop, Origin
from postern.model.organization import AcceptedDomain, DomainType, Organization, Role, SendConnector, Server
from postern.transport.categorize import Categorizer, Resolution, Target
from tests.transport.world import FakeDirectory, World, user

HUB, EDGE = frozenset({Role.HUB}), frozenset({Role.EDGE})
HEADQUARTERS = "Headquarters"
DOMAINS = (
    AcceptedDomain("corp.test"),
    AcceptedDomain("Partly.test", DomainType.INTERNAL_RELAY),
    AcceptedDomain("friends.test", DomainType.EXTERNAL_RELAY),
)


def server(name: str, roles: frozenset[Role], site: str = HEADQUARTERS) -> Server:
    return Server(name, f"{name}.corp.test", roles, ("192.0.2.1",), site)


LAB = (
    server("hub1", HUB),
    server("hub2", HUB, "Branch"),
    server("edge1", EDGE),
    server("mbx2", frozenset({Role.MAILBOX}), "Branch"),
)


def organization(*servers: Server, connectors: tuple[SendConnector, ...] = (SendConnector("all"),)) -> Organization:
    return Organization("Corp", DOMAINS, servers or LAB, send_connectors=connectors)


def resolved(at: str, to: str, where: Organization | None = None, path: str = "", **words: object) -> Resolution:
    categorizer = Categorizer(where or organization(), at)
    return categorizer.resolve([Target(0, to, **words)], 1000, False, path)


def hop(*arguments: object, **words: object) -> NextHop:
    resolution = resolved(*arguments, **words)
    assert not resolution.needs
    (routed,) = resolution.routed
    assert routed.hop is not None, routed.failure
    return routed.hop


def test_out_by_the_edge_of_the_site() -> None:
    assert hop("hub1", "x@far.test") == NextHop(HopKind.EDGE, ("edge1",), "hub-to-edge")


def test_another_sites_hub_goes_by_a_hub_of_the_edges_site() -> None:
    assert hop("hub2", "x@far.test") == NextHop(HopKind.HUB, ("hub1",), "hub-to-hub")


def test_any_edge_and_any_hub_will_do() -> None:
    mailbox = server("mbx1", frozenset({Role.MAILBOX}))
    where = organization(*LAB, server("edge2", EDGE), server("hub3", HUB), mailbox)
    assert hop("hub1", "x@far.test", where).destinations == ("edge1", "edge2")
    assert hop("hub2", "x@far.test", where).destinations == ("hub1", "hub3")
    assert hop("edge1", "x@corp.test", where) == NextHop(HopKind.HUB, ("hub1", "hub3"), "edge-to-hub")
    assert Categorizer(where, "hub1").mailbox_hop("mbx2") == NextHop(HopKind.HUB, ("hub2",), "hub-to-hub")
    assert Categorizer(where, "hub2").mailbox_hop("mbx1").destinations == ("hub1", "hub3")


def test_a_connector_may_name_its_edge() -> None:
    connectors = (
        SendConnector("all", server="edge2"),
        SendConnector("partner", ("partner.test",), ("gate.partner.test",), "edge1"),
        SendConnector("of a hub", ("hub.test",), server="hub2"),
    )
    where = organization(*LAB, server("edge2", EDGE, "Branch"), connectors=connectors)
    assert hop("hub1", "x@far.test", where) == NextHop(HopKind.HUB, ("hub2",), "hub-to-hub")
    assert hop("hub2", "x@far.test", where) == NextHop(HopKind.EDGE, ("edge2",), "hub-to-edge")
    assert hop("hub1", "x@partner.test", where) == NextHop(HopKind.EDGE, ("edge1",), "hub-to-edge")
    # No hub speaks to the internet where there are edges; two hubs must not send it to each other for ever.
    assert hop("hub1", "x@hub.test", where) == NextHop(HopKind.EDGE, ("edge1",), "hub-to-edge")
    assert hop("edge1", "x@partner.test", where) == NextHop(HopKind.SMART_HOST, ("gate.partner.test",), "edge-to-edge")


def test_a_subscription_to_a_site_without_hubs_waits_at_the_edge_itself() -> None:
    where = organization(server("hub1", HUB), server("edge1", EDGE, "Nowhere"))
    assert hop("hub1", "x@far.test", where) == NextHop(HopKind.EDGE, ("edge1",), "hub-to-edge")


@pytest.mark.parametrize("recipient", ["Alice@CORP.test", "anybody@partly.test", "postmaster"])
def test_in_by_a_hub_without_asking_a_directory(recipient: str) -> None:
    assert hop("edge1", recipient) == NextHop(HopKind.HUB, ("hub1",), "edge-to-hub")


@pytest.mark.parametrize("recipient", ["x@far.test", "x@friends.test"])
def test_all_else_outside(recipient: str) -> None:
    domain = recipient.partition("@")[2]
    for path in ("", "edge-to-edge", "hub-to-edge"):
        assert hop("edge1", recipient, path=path) == NextHop(HopKind.SMTP, (domain,), "edge-to-edge")


@pytest.mark.parametrize("recipient", ["nobody@partly.test", "x@corp.test"])
def test_what_a_hub_gave_to_the_edge_never_comes_back(recipient: str) -> None:
    domain = recipient.partition("@")[2]
    assert hop("edge1", recipient, path="hub-to-edge") == NextHop(HopKind.SMTP, (domain,), "edge-to-edge")


def test_an_edge_without_hubs_and_a_domain_without_connector_fail() -> None:
    alone = organization(server("edge1", EDGE), connectors=(SendConnector("one", ("one.test",)),))
    for recipient in ("alice@corp.test", "x@two.test"):
        (routed,) = resolved("edge1", recipient, alone).routed
        assert routed.failure is not None and routed.failure.status == "5.4.4"


def test_what_edgesync_brings_counts_at_once() -> None:
    categorizer = Categorizer(organization(server("edge1", EDGE)), "edge1")
    assert categorizer.domains["partly.test"] is DomainType.INTERNAL_RELAY
    now = Organization("Corp", (AcceptedDomain("new.test"),), (*LAB, server("hub9", HUB)))
    categorizer.reorganize(now)
    assert categorizer.domains == {"new.test": DomainType.AUTHORITATIVE}
    (routed,) = categorizer.resolve([Target(0, "alice@new.test")], 10, False).routed
    assert routed.hop == NextHop(HopKind.HUB, ("hub1", "hub9"), "edge-to-hub")


def test_a_domain_that_is_ours_no_more_while_its_recipient_is_looked_up_is_outside() -> None:
    categorizer = Categorizer(organization(server("hub1", HUB)), "hub1")
    resolution = categorizer.resolve([Target(0, "alice@corp.test")], 10, False)
    assert resolution.needs == {"alice@corp.test"}
    categorizer.reorganize(replace(organization(server("hub1", HUB)), domains=(AcceptedDomain("new.test"),)))
    resolution.answer({})
    (routed,) = resolution.routed
    assert routed.hop is not None and routed.hop.kind is HopKind.SMTP


@pytest.mark.parametrize(
    ("path", "identity", "carried"),
    [
        ("edge-to-hub", "edge1", False),
        ("internet-to-hub", "", False),
        ("hub-to-hub", "HUB2$", True),
        ("client-to-hub-smtp", "bob", True),
    ],
)
def test_an_edge_has_proven_nothing_for_the_sender(path: str, identity: str, carried: bool, tmp_path: Path) -> None:
    async def test() -> None:
        shy = user("alice", accept_from_authenticated_only=True)
        async with World(tmp_path, FakeDirectory(shy)) as world:
            await world.send("alice@example.test", sender="", origin=Origin(path, "192.0.2.9", "", identity))
            await world.rest()
            assert bool(world.carrier.carried) is carried

    asyncio.run(test())
