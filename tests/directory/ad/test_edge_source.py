"""EdgeSync's side of Active Directory, against Samba: recipients by DirSync, and subscriptions among Postern's own entries.

covers: directory.subscriptions
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from postern.directory.ad.edge_source import COMPARE_EVERY, DomainRecipients
from postern.directory.subscriptions import DirectorySubscriptions
from postern.model.directory import RecipientType
from postern.model.edge import EdgeCredential, Subscription
from postern.protocols.edge.hashes import address_hash
from tests.directory.domain_reader import Prepared
from tests.directory.samba import Domain
from tests.directory.samba_writing import SystemClient

pytestmark = [pytest.mark.slow, pytest.mark.root]

CREDENTIAL = EdgeCredential("hub1", "cn=ESRA.hub1.0,cn=Accounts", 1.5, 2.5, b"\x00sealed", b"\xffsealed")
EDGE = Subscription(
    "edge1", "edge1.corp.test", "Headquarters", b"\x30certificate", 50636, (CREDENTIAL,), (("hub1", b"key"),)
)


def test_recipients_are_followed(prepared: Prepared) -> None:
    async def run() -> None:
        async with prepared.opened() as (directory, write):
            clock = [0.0]
            source = DomainRecipients(directory.controller, Domain.name, lambda: clock[0])
            await write.add_user("alice@example.test", {}, aliases=["al@example.test"])
            bob = await write.add_user("bob@example.test", {})
            await write.change("bob@example.test", "msExchRequireAuthToSendTo", "TRUE")
            first = await source.read(b"", frozenset())
            assert first.complete
            hashes = {one.guid: set(one.hashes) for one in first.changed}
            assert bob not in hashes  # takes no mail from outside
            assert {address_hash("alice@example.test"), address_hash("al@example.test")} in hashes.values()
            known = frozenset(hashes)
            await source.read(first.cookie, known)
            carol = await write.add_user("carol@example.test", {})
            await write.change("bob@example.test", "msExchRequireAuthToSendTo")
            await write.add_alias("alice@example.test", "wonder@example.test")
            second = await source.read(first.cookie, known)
            found = {one.guid: set(one.hashes) for one in second.changed}
            assert not second.complete and {bob, carol} <= set(found)
            # DirSync told the new value alone; the edge gets all of them.
            alice = {address_hash(f"{name}@example.test") for name in ("alice", "al", "wonder")}
            assert alice in found.values()
            await write.remove("carol@example.test", RecipientType.USER)
            clock[0] = COMPARE_EVERY + 1
            third = await source.read(second.cookie, known | {bob, carol})
            assert carol in third.gone and bob not in third.gone
            again = await source.read(b"of another database", known)
            assert again.complete and bob in {one.guid for one in again.changed}

    asyncio.run(run())


def test_a_subscription_is_kept_and_two_hubs_write_beside_each_other(prepared: Prepared) -> None:
    async def run() -> None:
        async with prepared.opened() as (directory, _):
            # As the system: which rights a server's account has there is `setup ad`'s.
            system = SystemClient(prepared.domain.system_socket())
            store = DirectorySubscriptions.active_directory(system, directory.controller.root)
            try:
                for one in await store.subscriptions():
                    await store.remove(one.name)
                await store.publish(EDGE)
                assert await store.subscriptions() == (EDGE,)
                other = replace(CREDENTIAL, hub="hub2", username="cn=ESRA.hub2.0", bootstrap=True)
                await asyncio.gather(store.add_credential("edge1", other), store.add_hub_key("edge1", "hub2", b"key2"))
                await store.add_hub_key("edge1", "hub2", b"key3")
                await store.drop_credential("edge1", CREDENTIAL)
                (found,) = await store.subscriptions()
                assert found.credentials == (other,)
                assert found.hub_keys == (("hub1", b"key"), ("hub2", b"key3"))
                (trusted,) = await directory.trusted_certificates()
                assert (trusted.server, trusted.fqdn, trusted.der) == ("edge1", "edge1.corp.test", EDGE.certificate)
                await store.publish(replace(EDGE, certificate=b"\x30another"))
                assert (await store.subscriptions())[0].certificate == b"\x30another"
                assert await store.remove("edge1") and not await store.remove("edge1")
                assert await store.subscriptions() == ()
            finally:
                await system.close()

    asyncio.run(run())
