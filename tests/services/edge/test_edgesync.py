"""EdgeSync between two hosts: real directory servers at both ends, hubs that die in the middle, accounts that end.

covers: pairs, credentials, configuration, schedule, watch, directory.adam.adapter
covers: directory.adam.replica, directory.adam.state, directory.edge_source, directory.subscriptions
"""

from __future__ import annotations

import asyncio
import pickle
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from postern.directory.adam.client import AdamClient, Add, Delete, WrongCertificate, simple
from postern.directory.adam.replica import content_of
from postern.directory.adam.state import Lease, State, read_lease, read_state, write_lease, write_state
from postern.directory.edge_source import SlapdRecipients
from postern.directory.ldap.client import AlreadyThere
from postern.directory.slapd_adapter import SUFFIX
from postern.host import certificates, edge
from postern.host.edge import HubSide
from postern.model.directory import DirectoryUnavailable, RecipientType
from postern.model.edge import EdgeRecipient
from postern.model.organization import AcceptedDomain, DomainType, Role
from postern.model.security import Mechanism
from postern.paths.table import TABLE
from postern.protocols.edge.hashes import address_hash
from postern.services.edge.credentials import AccountKeeper
from postern.services.edge.edgesync import (
    BUSY,
    GONE,
    LEASE,
    CredentialExpired,
    EdgeSyncError,
    EdgeUnreachable,
    LeaseHeld,
    NotSubscribed,
    may_take,
)
from postern.services.edge.pairs import BEGIN_BEFORE, LIFE, RENEW_BEFORE, purpose
from postern.services.edge.schedule import Schedule
from postern.services.edge.watch import status_of
from postern.telemetry.metrics import Metric, Metrics
from postern.trust.certificates.sealed_secrets import key_of_certificate, seal
from tests.edge_hosts import EDGE, HUBS, TwoHosts, empty, leaf, run, two_hosts

pytestmark = [
    pytest.mark.slapd,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ldapsearch") is None, reason="OpenLDAP is missing: install slapd and ldap-utils"),
]


@pytest.fixture(scope="module")
def started() -> Iterator[TwoHosts]:
    with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def hosts(started: TwoHosts) -> TwoHosts:
    empty(started)
    return started


def on_hub(hosts: TwoHosts, work: Callable[[HubSide], Awaitable[None]]) -> None:
    """A subscribed edge, its keeper of accounts at work, and hub1."""

    async def inner() -> None:
        await hosts.subscribe()
        async with hosts.keeper(), hosts.hub() as hub:
            await work(hub)

    run(inner)


async def people(hosts: TwoHosts, *names: str) -> None:
    async with hosts.directory() as directory:
        for name in names:
            await directory.write.add_user(f"{name}@corp.test", {}, aliases=[f"{name}.alias@corp.test"])


async def many(hosts: TwoHosts, first: int, count: int) -> list[UUID]:
    """Users as an import makes them: quickly."""
    async with hosts.raw() as raw:
        client = AdamClient(TABLE["private-directory"], raw._uri, simple(raw._bind_dn, raw._password), Mechanism.BASIC)
        guids = [uuid4() for _ in range(count)]
        for start in range(0, count, 500):
            await client.write_all([_user(first + n, guids[n]) for n in range(start, min(start + 500, count))])
        await client.close()
        return guids


def _user(number: int, guid: UUID) -> Add:
    name = f"u{number}@corp.test".encode()
    values = {"objectClass": [b"user"], "cn": [name], "objectGUID": [guid.bytes_le], "userAccountControl": [b"512"]}
    more = {"sAMAccountName": [f"u{number}".encode()], "proxyAddresses": [b"SMTP:" + name]}
    return Add(f"cn={name.decode()},ou=Users,{SUFFIX}", {**values, **more})


async def known(hosts: TwoHosts, *addresses: str) -> set[str]:
    async with hosts.edge_directory() as directory:
        return set(await directory.recipients(addresses))


# What arrives


def test_the_edge_knows_every_address_and_no_name(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await people(hosts, "alice", "bob")
        report = await hub.sync.synchronize("edge1")
        assert (report.full, report.added, report.recipients) == (True, 2, 2)
        async with hosts.edge_directory() as directory:
            found = await directory.recipients(["ALICE@corp.test", "alice.alias@Corp.Test", "mallory@corp.test"])
            assert set(found) == {"ALICE@corp.test", "alice.alias@Corp.Test"}
            alice = found["ALICE@corp.test"]
            assert (alice.primary, alice.database, alice.display_name) == ("alice@corp.test", "", "")
            assert alice.guid == found["alice.alias@Corp.Test"].guid
            assert await directory.account("alice@corp.test") is None
        raw = (hosts.edge_state.adam / "data" / "data.mdb").read_bytes()
        assert b"alice" not in raw.lower()
        assert address_hash("alice@corp.test") in raw

    on_hub(hosts, work)


def test_an_edge_that_was_never_synchronized_calls_nobody_unknown(hosts: TwoHosts) -> None:
    async def work() -> None:
        async with hosts.edge_directory() as directory:
            with pytest.raises(DirectoryUnavailable):
                await directory.recipient("alice@corp.test")

    run(work)


def test_increments_bring_what_changed(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await people(hosts, "alice", "bob", "carol")
        await hub.sync.synchronize("edge1")
        nothing = await hub.sync.synchronize("edge1")
        assert (nothing.full, nothing.added, nothing.changed, nothing.deleted, nothing.configuration) == (
            False,
            0,
            0,
            0,
            0,
        )
        async with hosts.directory() as directory:
            await directory.write.add_alias("alice@corp.test", "wonder@corp.test")
            await directory.write.remove("bob@corp.test", RecipientType.USER)
            await directory.write.add_group("team@corp.test")
        async with hosts.raw() as raw:  # from now on colleagues only
            change = [(0, "msExchRequireAuthToSendTo", [b"TRUE"])]
            await raw.modify(f"cn=carol@corp.test,ou=Users,{SUFFIX}", change)
        some = await hub.sync.synchronize("edge1")
        assert (some.full, some.added, some.changed, some.deleted, some.recipients) == (False, 1, 1, 2, 2)
        asked = ("alice@corp.test", "wonder@corp.test", "bob@corp.test", "carol@corp.test", "team@corp.test")
        assert await known(hosts, *asked) == {"alice@corp.test", "wonder@corp.test", "team@corp.test"}

    on_hub(hosts, work)


def test_the_last_recipient_can_go_too(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await people(hosts, "alice")
        await hub.sync.synchronize("edge1")
        async with hosts.directory() as directory:
            await directory.write.remove("alice@corp.test", RecipientType.USER)
        report = await hub.sync.synchronize("edge1")
        assert (report.deleted, report.recipients) == (1, 0)
        assert await known(hosts, "alice@corp.test") == set()

    on_hub(hosts, work)


def test_another_process_finds_the_edge_as_the_first_left_it(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await people(hosts, "alice", "bob")
        await hub.sync.synchronize("edge1")
        async with hosts.directory() as directory:
            await directory.write.remove("bob@corp.test", RecipientType.USER)
        async with hosts.hub() as other:
            report = await other.sync.synchronize("edge1")
            assert (report.full, report.added, report.changed, report.deleted) == (False, 0, 0, 1)
            full = await other.sync.synchronize("edge1", full=True)
            assert (full.full, full.added, full.changed, full.deleted) == (True, 0, 0, 0)

    on_hub(hosts, work)


def test_lists_of_senders_and_sizes_arrive_as_hashes(hosts: TwoHosts) -> None:
    safe, blocked = b"\x01\x02\x03\x04", b"\x05\x06\x07\x08\x09\x0a\x0b\x0c"

    async def work(hub: HubSide) -> None:
        await people(hosts, "alice", "bob")
        async with hosts.raw() as raw:
            changes = [
                (0, "msExchSafeSendersHash", [safe]),
                (0, "msExchBlockedSendersHash", [blocked]),
                (0, "delivContLength", [b"100"]),
            ]
            await raw.modify(f"cn=alice@corp.test,ou=Users,{SUFFIX}", changes)
        await hub.sync.synchronize("edge1")
        async with hosts.edge_directory() as directory:
            lists = ("msExchSafeSendersHash", "msExchSafeRecipientsHash", "msExchBlockedSendersHash")
            hashes = [address_hash(f"{name}@corp.test") for name in ("alice.alias", "bob")]
            kept = sorted((entry.attributes for entry in await directory._matching(hashes, lists)), key=len)
            assert kept == [{}, {"msExchSafeSendersHash": [safe], "msExchBlockedSendersHash": [blocked]}]
            alice = await directory.recipient("alice@corp.test")
            assert alice is not None and alice.max_receive == 100 * 1024

    on_hub(hosts, work)


def test_configuration_arrives_and_follows(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        async with hosts.directory() as directory:
            await directory.write.add_domain(AcceptedDomain("sub.test", DomainType.INTERNAL_RELAY))
        await hub.sources.store.publish_hub("hub1", leaf(hosts.hub_state))
        await hub.sync.synchronize("edge1")
        async with hosts.edge_directory() as edge_:
            assert {(d.name, d.type.value) for d in await edge_.accepted_domains()} == {
                *(("corp.test", "authoritative"), ("sub.test", "internal-relay")),
            }
            connectors = {one.name: one for one in await edge_.send_connectors()}
            assert connectors["partner"].smart_hosts == ("b.p.test", "a.p.test:26")
            assert connectors["internet"].server == "edge1"
            assert [hub.name for hub in await edge_.hubs()] == ["hub1", "hub2"]
            assert [(t.server, t.role, t.der) for t in await edge_.trusted_certificates()] == [
                ("hub1", Role.HUB, leaf(hosts.hub_state))
            ]
            assert "127.0.0.1" in await edge_.internal_servers()
            async with hosts.directory() as directory:
                await directory.write.remove_domain("sub.test")
            report = await hub.sync.synchronize("edge1", recipients=False)
            assert report.configuration == 1
            assert [d.name for d in await edge_.accepted_domains()] == ["corp.test"]

    on_hub(hosts, work)


def test_a_hub_keeps_its_former_certificate_beside_the_new(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        for certificate in (b"one", b"two", b"two", b"three"):
            await hub.sources.store.publish_hub("hub1", certificate)
        assert set((await hub.sources.store.hub_certificates())["hub1"]) == {b"two", b"three"}

    on_hub(hosts, work)


# A hub that dies in the middle

_DIES = """
import asyncio, pickle, sys, time
from tests import edge_hosts
hosts = pickle.load(sys.stdin.buffer)

def step(what, done, of):
    if what == "recipients":
        print(done, of, flush=True)
        time.sleep(600)

async def work():
    async with edge_hosts.TwoHosts(*hosts, None, None).hub() as hub:
        await hub.sync.synchronize("edge1", full=True, progress=step)

asyncio.run(work())
"""


def _killed_in_the_middle(hosts: bytes) -> bytes:
    """What the process said before it was killed."""
    child = subprocess.Popen([sys.executable, "-c", _DIES], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(hosts)
        child.stdin.close()
        return child.stdout.readline()
    finally:
        child.kill()
        child.wait()


def test_a_hub_killed_in_the_middle_leaves_all_that_were_there(hosts: TwoHosts) -> None:
    """SIGKILL after the first batch: new ones are there in part, nobody of before is missing; the next hub completes it."""

    async def work(hub: HubSide) -> None:
        await many(hosts, 0, 700)
        first = await hub.sync.synchronize("edge1")
        assert first.recipients == 700
        async with hosts.raw() as raw:
            for number in range(100):
                await raw.delete(f"cn=u{number}@corp.test,ou=Users,{SUFFIX}")
        await many(hosts, 1000, 600)
        parts = (hosts.organization, hosts.hub_state, hosts.hub2_state, hosts.edge_state)
        said = await asyncio.to_thread(_killed_in_the_middle, pickle.dumps(parts))
        assert said.split() == [b"500", b"700"]
        before = {f"u{number}@corp.test" for number in range(700)}
        came = {f"u{number}@corp.test" for number in range(1000, 1600)}
        assert await known(hosts, *before) == before
        assert len(await known(hosts, *came)) == 500
        async with hosts.hub(2) as other:
            pairs = other.sync._pairs
            await pairs.introduce((await other.sync.subscriptions())[0])
            with pytest.raises(EdgeSyncError):  # hub2 has no account yet, and hub1's session may still be alive
                await other.sync.synchronize("edge1")
        hub.sync._clock = lambda: time.time() + BUSY + 1
        report = await hub.sync.synchronize("edge1")
        assert (report.added, report.deleted, report.recipients) == (100, 100, 1200)
        assert await known(hosts, *came) == came
        assert await known(hosts, *before) == {f"u{number}@corp.test" for number in range(100, 700)}

    on_hub(hosts, work)


def test_while_a_dead_hub_may_be_alive_nobody_writes_beside_it(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await hub.sync.synchronize("edge1")
        replica, _ = await hub.sync._connect((await hub.sync.subscriptions())[0])
        former, _ = await replica.lease_and_state()
        now = time.time()
        assert await replica.exchange_lease(former, Lease("hub1", "another session", now + LEASE, now, True))
        await replica.close()
        for forced in (False, True):
            with pytest.raises(LeaseHeld):
                await hub.sync.synchronize("edge1", forced=forced)

    on_hub(hosts, work)


NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("lease", "forced", "may"),
    [
        (Lease("hub1", "mine", NOW + 1, NOW, True), False, True),
        (Lease("hub1", "other", NOW + 1, NOW - BUSY + 1, True), True, False),
        (Lease("hub1", "other", NOW + 1, NOW - BUSY, True), False, True),
        (Lease("hub1", "other", NOW + 1, NOW, False), False, True),
        (Lease("hub2", "other", NOW + 1, NOW, False), False, False),
        (Lease("hub2", "other", NOW + 1, NOW, False), True, True),
        (Lease("hub2", "other", NOW + 1, NOW - GONE - 1, False), False, True),
        (Lease("hub2", "other", NOW + 1, NOW - BUSY - 1, True), False, False),
        (Lease("hub2", "other", NOW, NOW - 60, False), False, True),
    ],
)
def test_who_may_take_the_lease(lease: Lease, forced: bool, may: bool) -> None:
    assert may_take(lease, "hub1", "mine", NOW, forced) is may


def test_two_hubs_do_not_take_one_lease(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await hub.sync.synchronize("edge1")
        subscription = (await hub.sync.subscriptions())[0]
        replica, _ = await hub.sync._connect(subscription)
        former, _ = await replica.lease_and_state()
        first, second = (Lease(name, name, NOW, NOW, True) for name in ("hub1", "hub2"))
        assert await replica.exchange_lease(former, first)
        assert not await replica.exchange_lease(former, second)
        await replica.close()

    on_hub(hosts, work)


def test_the_other_hub_waits_and_takes_over_when_the_first_is_gone(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        async with hosts.hub(2) as other:
            await people(hosts, "alice")
            await other.sync._pairs.introduce((await other.sync.subscriptions())[0])
            await hub.sync.synchronize("edge1")
            await _until_account(other)
            with pytest.raises(LeaseHeld, match="hub1"):
                await other.sync.synchronize("edge1")
            other.sync._clock = lambda: time.time() + GONE + 5
            report = await other.sync.synchronize("edge1")
            assert report.recipients == 1
            assert (
                await status_of(other.sync, "hub2", (await other.sync.subscriptions())[0], time.time())
            ).holder == "hub2"

    on_hub(hosts, work)


async def _until_account(hub: HubSide) -> None:
    """The edge's keeper makes accounts within seconds of being asked."""
    async with asyncio.timeout(20):
        while True:
            try:
                await hub.sync.look((await hub.sync.subscriptions())[0])
                return
            except CredentialExpired:
                await asyncio.sleep(0.1)


# Accounts


def test_after_the_first_time_the_account_of_the_file_is_gone(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await hub.sync.synchronize("edge1")
        (subscription,) = await hub.sync.subscriptions()
        assert [(one.hub, one.bootstrap) for one in subscription.credentials] == [("hub1", False)]
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts, asyncio.timeout(20):
            while any(one.bootstrap for one in await accounts.replicators()):  # noqa: ASYNC110 (another process's work)
                await asyncio.sleep(0.1)
            assert [one.hub for one in await accounts.replicators()] == ["hub1"]

    on_hub(hosts, work)


def test_passwords_stand_in_the_directory_sealed(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await hub.sync.synchronize("edge1")
        (subscription,) = await hub.sync.subscriptions()
        (login,) = hub.pairs.logins(subscription, time.time())
        raw = (hosts.hub_state.slapd / "data" / "data.mdb").read_bytes()
        assert login.password.encode() not in raw
        assert login.credential.for_hub.hex()[:16] not in raw.decode("latin-1")
        assert login.password not in repr(login)
        async with hosts.hub(2) as other:
            assert (
                other.pairs.logins(replace(subscription, credentials=(replace(login.credential, hub="hub2"),)), NOW)
                == []
            )

    on_hub(hosts, work)


def test_accounts_are_renewed_seven_days_before_they_end_and_begin_three_days_before(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await hub.sync.synchronize("edge1")
        (first,) = (await hub.sync.subscriptions())[0].credentials
        hub.sync._clock = lambda: first.expires - RENEW_BEFORE - 60
        await hub.sync.synchronize("edge1")
        assert len((await hub.sync.subscriptions())[0].credentials) == 1
        hub.sync._clock = lambda: first.expires - RENEW_BEFORE + 60
        await hub.sync.synchronize("edge1")
        pair = sorted((await hub.sync.subscriptions())[0].credentials, key=lambda one: one.expires)
        assert len(pair) == 2
        assert pair[1].effective == first.expires - BEGIN_BEFORE
        assert pair[1].expires == pair[1].effective + LIFE
        await hub.sync.synchronize("edge1")
        assert len((await hub.sync.subscriptions())[0].credentials) == 2
        hub.sync._clock = lambda: (
            first.expires + 60
        )  # the first is over: dropped, and without it none is left that slapd takes
        with pytest.raises(CredentialExpired):
            await hub.sync.synchronize("edge1")

    on_hub(hosts, work)


def test_a_hub_without_an_account_says_so(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        hub.sync._clock = lambda: time.time() + 2 * 86400
        with pytest.raises(CredentialExpired, match="subscription new"):
            await hub.sync.synchronize("edge1")
        hub.sync._clock = time.time
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            for one in await accounts.replicators():
                await accounts.remove(one.dn)
        with pytest.raises(CredentialExpired, match="refuses every account"):
            await hub.sync.synchronize("edge1")
        status = await status_of(hub.sync, "hub1", (await hub.sync.subscriptions())[0], time.time())
        assert status.problems and "refuses" in status.problems[0]

    on_hub(hosts, work)


def test_the_keeper_makes_no_account_that_is_not_right(hosts: TwoHosts) -> None:
    """A replicator may write requests; what they may say is bounded."""

    async def work() -> None:
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            now = time.time()
            keeper = AccountKeeper(accounts, EDGE.name, certificates.place(hosts.edge_state).key.read_bytes)
            dn = await accounts.add("hub1", "p" * 40, now - 60, now + 3600)
            other = await accounts.add("hub2", "p" * 40, now - 60, now + 3600)
            client = AdamClient(
                *(
                    TABLE["edgesync"],
                    hosts.ldaps(),
                    simple(dn, "p" * 40),
                    Mechanism.BASIC,
                    lambda: leaf(hosts.edge_state),
                )
            )
            from postern.directory.adam.accounts import new_name
            from postern.directory.adam.replica import EdgeReplica

            replica, key = EdgeReplica(client), key_of_certificate(leaf(hosts.edge_state))

            def sealed(name: str, password: str = "q" * 40) -> bytes:
                return seal(key, password, purpose(EDGE.name, "hub1", name))

            good, long, short, weak = (new_name("hub1") for _ in range(4))
            foreign = f"cn=admin,{dn.partition(',')[2]}"
            await replica.ask_account(good, "hub1", now, now + 3600, sealed(good))
            await replica.ask_account(long, "hub1", now, now + 10 * LIFE, sealed(long))
            await replica.ask_account(short, "hub1", now, now - 1, sealed(short))
            await replica.ask_account(weak, "hub1", now, now + 3600, sealed(weak, "weak"))
            await replica.ask_account(foreign, "hub1", now, now + 3600, sealed(foreign))
            await replica.ask_account(new_name("hub1"), "hub1", now, now + 3600, sealed(good))
            await replica.ask_end(other, "hub1")
            await keeper.look()
            assert {one.dn for one in await accounts.replicators()} == {dn, other, good}
            assert await accounts.requests() == ()
            await replica.ask_end(good, "hub1")
            await keeper.look()
            assert {one.dn for one in await accounts.replicators()} == {dn, other}
            await replica.close()

    run(work)


# Who answers


def test_no_password_goes_to_another_certificate(hosts: TwoHosts) -> None:
    """A server in between, with a certificate of the same organization: it gets a question, and never a bind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    place = certificates.place(hosts.hub_state)
    context.load_cert_chain(place.chain, place.key)
    heard = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            connection.settimeout(10)
            heard.extend(connection.recv(65536))
            number = heard[4]  # 30 len 02 01 NUMBER: the message's id
            # searchResultDone, unwillingToPerform: RFC 4511 section 4.5.2
            connection.sendall(
                bytes([0x30, 0x0C, 0x02, 0x01, number, 0x65, 0x07, 0x0A, 0x01, 0x35, 0x04, 0x00, 0x04, 0x00])
            )
            while data := connection.recv(65536):
                heard.extend(data)

    thread = threading.Thread(target=serve)
    thread.start()

    async def work() -> None:
        client = AdamClient(
            TABLE["edgesync"],
            f"ldaps://127.0.0.1:{listener.getsockname()[1]}",
            simple("cn=ESRA", "the password"),
            Mechanism.BASIC,
            lambda: leaf(hosts.edge_state),
        )
        with pytest.raises(WrongCertificate):
            await client.search("", 0, "(objectClass=*)", ())
        await client.close()

    run(work)
    thread.join(20)
    listener.close()
    assert not thread.is_alive()
    assert len(heard) > 10
    assert b"the password" not in heard


def test_an_edge_that_is_down_is_said_to_be_down(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await hub.sync.synchronize("edge1")
        hosts.edge_slapd.stop()
        try:
            with pytest.raises(EdgeUnreachable):
                await hub.sync.synchronize("edge1")
            status = await status_of(hub.sync, "hub1", (await hub.sync.subscriptions())[0], time.time())
            assert "does not answer" in status.problems[0]
        finally:
            hosts.edge_slapd.start()
        later = await status_of(hub.sync, "hub1", (await hub.sync.subscriptions())[0], time.time())
        assert later.problems == ()
        stale = await status_of(hub.sync, "hub1", (await hub.sync.subscriptions())[0], time.time() + LEASE + 60)
        assert "stale" in stale.problems[0]

    on_hub(hosts, work)


def test_an_unsubscribed_edge_is_not_replicated_to(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        assert await hub.unsubscribe("edge1")
        assert not await hub.unsubscribe("edge1")
        with pytest.raises(NotSubscribed):
            await hub.sync.synchronize("edge1")

    on_hub(hosts, work)


# By itself


def test_the_schedule_publishes_the_hub_and_replicates_when_it_is_due(hosts: TwoHosts, counted: Metrics) -> None:
    async def work(hub: HubSide) -> None:
        await people(hosts, "alice")
        clock = [1000.0]
        chain = certificates.place(hosts.hub_state).chain
        schedule = Schedule(hub.sync, hub.sources.store, HUBS[0], chain.read_bytes, lambda: clock[0])
        await schedule.turn()
        assert await known(hosts, "alice@corp.test") == {"alice@corp.test"}
        assert (await hub.sources.store.hub_certificates())["hub1"] == (leaf(hosts.hub_state),)
        await people(hosts, "bob")
        clock[0] += 200  # the configuration is due, recipients are not
        await schedule.turn()
        assert await known(hosts, "bob@corp.test") == set()
        clock[0] += 110
        await schedule.turn()
        assert await known(hosts, "bob@corp.test") == {"bob@corp.test"}
        async with hosts.edge_directory() as edge_:
            assert [t.server for t in await edge_.trusted_certificates()] == ["hub1"]
        assert counted.values[Metric.EDGESYNC_RUNS, ("done",)] == 3
        assert sum(counted.distributions[Metric.EDGESYNC_SECONDS, ()].counts) == 3

    on_hub(hosts, work)


# Values


def test_leases_and_states_are_read_as_they_were_written() -> None:
    lease = Lease("hub1", "abc", 1.25, 1795480062.736532, True)
    assert read_lease(write_lease(lease).decode()) == lease
    state = State("slapd", b"\x00\xff", 1.5, 2.5, "hub1", 7)
    assert read_state(write_state(state).decode()) == state
    for text in ("", "{}", "[]", "null", '{"holder": 1}', "no json"):
        assert read_lease(text) is None
        assert read_state(text) == State()


def test_equal_recipients_have_equal_digests_and_others_have_not() -> None:
    one = EdgeRecipient(UUID(int=1), (b"a" * 32, b"b" * 32), b"safe", b"", b"bad!", 5)
    assert content_of(one) == content_of(replace(one, hashes=(b"b" * 32, b"a" * 32)))
    others = (
        replace(one, hashes=(b"a" * 32,)),
        replace(one, safe_senders=b"", safe_recipients=b"safe"),
        replace(one, blocked_senders=b""),
        replace(one, max_receive=6),
    )
    assert len({content_of(one), *map(content_of, others)}) == 5


def test_of_many_writes_one_that_fails_is_told_and_the_others_happen(hosts: TwoHosts) -> None:
    async def work(hub: HubSide) -> None:
        await many(hosts, 0, 3)
        async with hosts.raw() as raw:
            bind = simple(raw._bind_dn, raw._password)
            client = AdamClient(TABLE["private-directory"], raw._uri, bind, Mechanism.BASIC)
            gone = Delete(f"cn=u1@corp.test,ou=Users,{SUFFIX}")
            with pytest.raises(AlreadyThere):
                await client.write_all([_user(7, uuid4()), _user(2, uuid4()), gone])
            found = await client.search(SUFFIX, 2, "(sAMAccountName=u*)", ("sAMAccountName",))
            assert {entry.attributes["sAMAccountName"][0] for entry in found} == {b"u0", b"u2", b"u7"}
            await client.close()

    on_hub(hosts, work)


def test_a_cookie_that_means_nothing_gives_everything(hosts: TwoHosts) -> None:
    async def work() -> None:
        await people(hosts, "alice")
        async with hosts.raw() as raw:
            source = SlapdRecipients(raw, SUFFIX)
            for cookie in (b"", b"garbage", b"99999999999999.000000Z#", b"\xff\xfe"):
                delta = await source.read(cookie, frozenset({UUID(int=7)}))
                assert delta.complete and len(delta.changed) == 1
            later = await source.read(b"20990101000000.000000Z#000000#000#000000", frozenset({UUID(int=7)}))
            assert not later.complete and later.changed == () and later.gone == {UUID(int=7)}

    run(work)
