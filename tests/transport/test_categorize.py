"""The categorizer against a dictionary: every kind of recipient, and what must end although it goes in circles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.directory import Recipient
from postern.model.mail import HopKind, NextHop
from postern.model.organization import AcceptedDomain, SendConnector
from postern.transport import categorize
from postern.transport.categorize import Categorizer, Resolution, Target
from tests.transport.world import contact, group, organization, user

LOCAL = NextHop(HopKind.MAILBOX, ("hub1",), "hub-to-mailbox-mapi")


def resolve(
    *addresses: str, known: tuple[Recipient, ...] = (), size: int = 100, authenticated: bool = False
) -> Resolution:
    return finish(
        Categorizer(organization(), "hub1").resolve(
            [Target(number, address) for number, address in enumerate(addresses)], size, authenticated
        ),
        known,
    )


def finish(resolution: Resolution, known: tuple[Recipient, ...]) -> Resolution:
    entries = {address: r for r in known for address in r.addresses}
    for _ in range(100):
        needs = resolution.needs
        if not needs:
            return resolution
        assert all(need == need.lower() for need in needs)
        resolution.answer({need: entries[need] for need in needs if need in entries})
    raise AssertionError("it never ends")


def hops(resolution: Resolution) -> list[tuple[str, NextHop | None]]:
    return [(r.address, r.hop) for r in resolution.routed]


def failures(resolution: Resolution) -> list[tuple[str, str]]:
    return [(r.failure.address, r.failure.status) for r in resolution.routed if r.failure]


def test_a_mailbox_by_any_of_its_addresses() -> None:
    alice = user("alice", addresses=("alice@example.test", "a@example.test"))
    resolution = resolve("A@Example.TEST", known=(alice,))
    assert hops(resolution) == [("A@Example.TEST", LOCAL)], "the address is delivered as it was written"
    assert resolution.routed[0].mailbox == alice.guid
    assert resolution.routed[0].direct


def test_the_quota_of_the_directory_travels_with_the_recipient() -> None:
    alice = replace(user("alice", addresses=("alice@example.test", "a@example.test")), quota=1_048_576)
    bob = user("bob", addresses=("bob@example.test",))
    resolution = resolve("a@example.test", "bob@example.test", known=(alice, bob))
    assert [r.quota for r in resolution.routed] == [1_048_576, 0]


def test_unknown_in_an_authoritative_domain_fails_and_in_a_relay_domain_goes_out() -> None:
    resolution = resolve("nobody@example.test", "nobody@relay.test")
    assert failures(resolution) == [("nobody@example.test", "5.1.1")]
    assert hops(resolution)[-1] == ("nobody@relay.test", NextHop(HopKind.SMTP, ("relay.test",), "hub-to-internet"))


@pytest.mark.parametrize("domain", ["회사.test", "xn--vf4b131b.test", "XN--vf4b131b.TEST"])
@pytest.mark.parametrize("ours", ["회사.test", "xn--vf4b131b.test"])
def test_a_domain_is_ours_in_either_spelling(ours: str, domain: str) -> None:
    kim = user("kim", primary="kim@xn--vf4b131b.test", addresses=("kim@xn--vf4b131b.test",))
    here = Categorizer(organization(domains=(AcceptedDomain(ours),)), "hub1")
    assert hops(finish(here.resolve([Target(0, f"kim@{domain}")], 100, False), (kim,))) == [(f"kim@{domain}", LOCAL)]


@pytest.mark.parametrize("pattern", ["회사.test", "xn--vf4b131b.test", "*.xn--vf4b131b.test", "*.회사.test"])
def test_a_connector_leads_to_a_domain_in_either_spelling(pattern: str) -> None:
    connectors = (SendConnector("internet"), SendConnector("partner", (pattern,), ("gate.test",)))
    here = Categorizer(organization(send_connectors=connectors), "hub1")
    below = "부." if pattern.startswith("*") else ""
    for domain in (f"{below}회사.test", f"{'xn--kk6b.' if below else ''}xn--vf4b131b.test"):
        (routed,) = finish(here.resolve([Target(0, f"x@{domain}")], 100, False), ()).routed
        assert routed.hop == NextHop(HopKind.SMART_HOST, ("gate.test",), "hub-to-internet")


def test_a_destination_in_letters_is_the_destination_in_a_labels() -> None:
    resolution = resolve("x@회사.test", "y@xn--vf4b131b.test")
    assert {hop for _, hop in hops(resolution)} == {NextHop(HopKind.SMTP, ("xn--vf4b131b.test",), "hub-to-internet")}


def test_a_plus_address_reaches_its_user_unless_it_is_one_itself() -> None:
    alice, list_ = user("alice"), user("alice+list", primary="alice+list@example.test")
    assert resolve("alice+tag@example.test", known=(alice,)).routed[0].mailbox == alice.guid
    both = resolve("alice+list@example.test", known=(alice, list_))
    assert [r.mailbox for r in both.routed] == [list_.guid]
    assert failures(resolve("+tag@example.test", known=(alice,))) == [("+tag@example.test", "5.1.1")]


def test_postmaster_exists_in_every_domain_and_without_one() -> None:
    boss = user("boss", addresses=("boss@example.test", "postmaster@example.test"))
    for address in ("postmaster", "Postmaster@relay.test", "postmaster@example.test"):
        assert [r.mailbox for r in resolve(address, known=(boss,)).routed] == [boss.guid]


def test_groups_open_with_their_groups_and_everybody_is_there_once() -> None:
    alice, bob, carol = user("alice"), user("bob"), contact("carol", "carol@outside.test")
    team = group("team", "alice@example.test", "inner@example.test")
    inner = group("inner", "bob@example.test", "alice@example.test", "carol@example.test", "team@example.test")
    resolution = resolve("team@example.test", "bob@example.test", known=(alice, bob, carol, team, inner))
    assert sorted(r.address for r in resolution.routed) == [
        "alice@example.test",
        "bob@example.test",
        "carol@outside.test",
    ]
    assert 0 in resolution.expanded
    assert not failures(resolution)


def test_mail_to_a_group_without_anybody_comes_back() -> None:
    inner, team = group("inner", "team@example.test"), group("team", "inner@example.test")
    for known in ((group("team"),), (team, inner), (team, group("inner"))):
        resolution = resolve("team@example.test", known=known)
        assert failures(resolution) == [("team@example.test", "5.2.4")]
        assert resolution.routed[0].direct and not resolution.expanded


def test_an_empty_group_beside_somebody_fails_nobody() -> None:
    bob, team = user("bob"), group("team", "inner@example.test", "bob@example.test")
    assert not failures(resolve("team@example.test", known=(bob, team, group("inner"))))
    # Bob has it already; and the second name of the group is what the first one is.
    assert not failures(resolve("bob@example.test", "team@example.test", known=(bob, team, group("inner"))))
    twice = replace(team, addresses=("team@example.test", "crew@example.test"))
    assert not failures(resolve("team@example.test", "crew@example.test", known=(bob, twice, group("inner"))))


def test_forwarding_with_and_without_a_copy() -> None:
    bob = user("bob")
    away = user("alice", forward_to="bob@example.test")
    assert [r.mailbox for r in resolve("alice@example.test", known=(away, bob)).routed] == [bob.guid]
    keeps = replace(away, deliver_and_forward=True)
    resolution = resolve("alice@example.test", known=(keeps, bob))
    assert [(r.mailbox, r.direct) for r in resolution.routed] == [(away.guid, True), (bob.guid, False)]
    outside = user("alice", forward_to="alice@outside.test")
    assert hops(resolve("alice@example.test", known=(outside,))) == [
        ("alice@outside.test", NextHop(HopKind.SMTP, ("outside.test",), "hub-to-internet"))
    ]


def test_what_was_expanded_before_is_not_forwarded_again() -> None:
    keeps = user("alice", forward_to="bob@example.test", deliver_and_forward=True)
    target = Target(0, "alice@example.test", final=True)
    resolution = finish(Categorizer(organization(), "hub1").resolve([target], 1, False), (keeps, user("bob")))
    assert [r.mailbox for r in resolution.routed] == [keeps.guid]


def test_forwarding_in_a_circle_fails_once() -> None:
    alice = user("alice", forward_to="bob@example.test")
    bob = user("bob", forward_to="alice@example.test")
    resolution = resolve("alice@example.test", known=(alice, bob))
    assert [status for _, status in failures(resolution)] == ["5.4.6"]


def test_size_and_senders_are_judged_per_recipient() -> None:
    small = user("alice", max_receive=1000)
    known = (small, user("bob"))
    assert failures(resolve("alice@example.test", "bob@example.test", known=known, size=1001)) == [
        ("alice@example.test", "5.2.3")
    ]
    assert not failures(resolve("alice@example.test", known=known, size=1000))
    closed = (group("team", "bob@example.test", accept_from_authenticated_only=True), user("bob"))
    assert failures(resolve("team@example.test", known=closed)) == [("team@example.test", "5.7.1")]
    assert not failures(resolve("team@example.test", known=closed, authenticated=True))


def test_a_mailbox_of_another_site_goes_by_a_hub_there() -> None:
    far = user("alice", database="hub2")
    assert hops(resolve("alice@example.test", known=(far,)))[0][1] == NextHop(HopKind.HUB, ("hub2",), "hub-to-hub")
    at_home = Categorizer(organization(), "hub2").resolve([Target(0, "alice@example.test")], 1, False)
    assert hops(finish(at_home, (far,)))[0][1] == NextHop(HopKind.MAILBOX, ("hub2",), "hub-to-mailbox-mapi")


@pytest.mark.parametrize(
    ("domain", "attempts", "kind", "destination"),
    [
        ("anywhere.test", 0, HopKind.SMTP, "anywhere.test"),
        ("partner.test", 0, HopKind.SMART_HOST, "gate.partner.test:2525"),
        ("deep.PARTNER.test", 0, HopKind.SMART_HOST, "gate.partner.test:2525"),
        ("partner.test", 1, HopKind.SMART_HOST, "gate2.partner.test"),
        ("notpartner.test", 0, HopKind.SMTP, "notpartner.test"),
        ("far.test", 0, HopKind.HUB, "hub2"),
    ],
)
def test_the_send_connector_that_fits_best(domain: str, attempts: int, kind: HopKind, destination: str) -> None:
    target = Target(0, f"x@{domain}", attempts=attempts)
    (routed,) = Categorizer(organization(), "hub1").resolve([target], 1, False).routed
    assert routed.hop is not None
    assert (routed.hop.kind, routed.hop.destination) == (kind, destination)


def test_without_a_connector_it_fails() -> None:
    categorizer = Categorizer(organization(send_connectors=()), "hub1")
    assert failures(categorizer.resolve([Target(0, "x@far.test")], 1, False)) == [("x@far.test", "5.4.4")]


def test_a_list_that_is_too_large_or_too_deep_fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categorize, "MAX_EXPANSION", 50)
    members = tuple(f"u{i}@example.test" for i in range(100))
    huge = group("huge", *members)
    resolution = resolve("huge@example.test", known=(huge, *(user(f"u{i}") for i in range(100))))
    assert [status for _, status in failures(resolution)] == ["5.2.4"]
    assert len(resolution.routed) == 50
    chain = tuple(group(f"g{i}", f"g{i + 1}@example.test") for i in range(50))
    assert [status for _, status in failures(resolve("g0@example.test", known=chain))] == ["5.2.4"]


NAMES = st.sampled_from([f"n{i}" for i in range(6)])


@st.composite
def directories(draw: st.DrawFn) -> tuple[Recipient, ...]:
    entries = []
    for i in range(6):
        kind = draw(st.sampled_from(["user", "group", "contact", "forward", "copy", "nothing"]))
        to = f"{draw(NAMES)}@example.test"
        if kind == "group":
            entries.append(group(f"n{i}", *(f"{n}@example.test" for n in draw(st.lists(NAMES, max_size=6)))))
        elif kind == "contact":
            entries.append(contact(f"n{i}", to))
        elif kind != "nothing":
            forward = "" if kind == "user" else to
            entries.append(user(f"n{i}", forward_to=forward, deliver_and_forward=kind == "copy"))
    return tuple(entries)


@given(directories(), st.lists(NAMES, min_size=1, max_size=4))
def test_it_always_ends_and_reaches_nobody_twice(known: tuple[Recipient, ...], names: list[str]) -> None:
    resolution = resolve(*(f"{name}@example.test" for name in names), known=known)
    reached = [r.mailbox for r in resolution.routed if r.hop is not None]
    assert len(reached) == len(set(reached))
    accounted = {r.source for r in resolution.routed} | resolution.expanded.keys()
    assert accounted == set(range(len(names))), "no recipient is forgotten"
