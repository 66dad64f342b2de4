"""NTLM answers judged by Samba domain controllers over the secure channel: verdicts, keys, groups, failover, and lies.

covers: broker, protocols.dcerpc.interfaces.logon_broker
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from postern.model.directory import DirectoryUnavailable
from postern.model.security import Mechanism
from postern.protocols.dcerpc.interfaces.netlogon import LogonAnswer
from postern.protocols.dcerpc.interfaces.validation import LogonInformation
from postern.services.netlogon import client as netlogon_client
from postern.services.netlogon.client import LOGON_FAILURE, _verdict
from postern.trust.ntlm.netlogon import SecureChannel
from tests.directory.samba import Controller, Domain
from tests.services.domain_member import PASSWORD, Locate, Member, kerberos

pytestmark = [pytest.mark.slow, pytest.mark.root]


@pytest.fixture(scope="module")
def member(samba_domain: Domain) -> Iterator[Member]:
    made = Member(samba_domain)
    for user in ("ntlm-anna", "ntlm-gone", "ntlm-locked"):
        samba_domain.user(user)
    samba_domain.samba_tool("user", "disable", "ntlm-gone")
    with kerberos(samba_domain, made.keytab):
        yield made


@pytest.fixture
def locator(samba_domain: Domain) -> Locate:
    return Locate([samba_domain.controller("dc1")])


@pytest.mark.parametrize(("user", "domain"), [("ntlm-anna", "CORP"), ("ntlm-anna", ""), ("ntlm-anna@corp.test", "")])
def test_a_right_answer(member: Member, locator: Locate, user: str, domain: str) -> None:
    async def steps() -> None:
        channel = member.channel(locator)
        logon = await member.answer(user, PASSWORD, domain)
        verdict = await channel.ntlm(logon)
        assert (verdict.status, verdict.name) == (0, "ntlm-anna") and len(verdict.session_base_key) == 16
        assert any(group.endswith("-513") for group in verdict.groups)
        await channel.close()

    asyncio.run(steps())


def test_the_path_s_use_is_seen_as_what_it_is(member: Member, locator: Locate) -> None:
    async def steps() -> None:
        channel = member.channel(locator)
        await channel.ntlm(await member.answer("ntlm-anna", PASSWORD))
        await channel.close()

    asyncio.run(steps())
    seen = {key for key in member.observed._counts if key[2] == Mechanism.NETLOGON}
    assert {(path, seal, cipher) for path, _, _, seal, cipher in seen} == {
        ("hub-to-ad", "RPC privacy", "Netlogon AES-128-CFB8")
    }


def test_what_the_controller_refuses(member: Member, locator: Locate) -> None:
    async def steps() -> None:
        channel = member.channel(locator)
        for user, password, status in (
            ("ntlm-anna", "wrong", 0xC000006A),
            ("ntlm-nobody", PASSWORD, 0xC0000064),
            ("ntlm-gone", PASSWORD, 0xC0000072),
        ):
            verdict = await channel.ntlm(await member.answer(user, password))
            assert (verdict.status, verdict.session_base_key, verdict.groups) == (status, b"", frozenset())
        assert locator.failures == []
        await channel.close()

    asyncio.run(steps())


def test_a_machine_s_groups_come_with_the_verdict(member: Member, locator: Locate, samba_domain: Domain) -> None:
    said = samba_domain.samba_tool("group", "show", "Postern Servers", "--attributes=objectSid")
    sid = said.partition("objectSid: ")[2].split()[0]

    async def steps() -> None:
        channel = member.channel(locator)
        assert (await channel.ntlm(await member.answer(member.account, "not it"))).status == 0xC000006A
        verdict = await channel.ntlm(await member.answer(member.account, "", secret=member.nt_hash()))
        assert (verdict.status, verdict.name) == (0, member.account) and sid in verdict.groups
        await channel.close()

    asyncio.run(steps())


def test_a_challenge_that_was_another_server_s_is_refused(member: Member, locator: Locate) -> None:
    """What keeps a member from passing on answers that were meant for others."""

    async def steps() -> None:
        channel, other = member.channel(locator), Member(member.domain)
        other.name = "elsewhere"
        logon = await other.answer("ntlm-anna", PASSWORD)
        assert (await channel.ntlm(logon)).status == LOGON_FAILURE
        await channel.close()

    asyncio.run(steps())


def test_many_at_once(member: Member, locator: Locate) -> None:
    async def steps() -> None:
        channel = member.channel(locator)
        logons = [await member.answer("ntlm-anna", PASSWORD if i % 2 else "no") for i in range(40)]
        verdicts = await asyncio.gather(*(channel.ntlm(logon) for logon in logons))
        assert [verdict.status == 0 for verdict in verdicts] == [bool(i % 2) for i in range(40)]
        await channel.close()

    asyncio.run(steps())


def test_a_connection_that_was_lost_is_made_anew(member: Member, locator: Locate) -> None:
    async def steps() -> None:
        channel = member.channel(locator)
        logon = await member.answer("ntlm-anna", PASSWORD)
        await channel.ntlm(logon)
        assert channel._channel is not None
        for connection in channel._channel.idle:
            assert connection.link is not None
            connection.link.abort()
        assert (await channel.ntlm(logon)).status == 0 and locator.failures == []
        await channel.close()

    asyncio.run(steps())


def test_a_channel_that_the_controller_forgot_is_made_anew(member: Member, locator: Locate) -> None:
    """As after a second process opened one, or the account's secret changed."""

    async def steps() -> None:
        first, second = member.channel(locator), member.channel(locator)
        logon = await member.answer("ntlm-anna", PASSWORD)
        await first.ntlm(logon)
        await second.ntlm(logon)
        for connection in first._channel.idle:
            connection.close()
        assert (await first.ntlm(logon)).status == 0
        await first.close()
        await second.close()

    asyncio.run(steps())


def test_the_wrong_machine_secret(member: Member, locator: Locate) -> None:
    async def steps() -> None:
        channel = member.channel(locator, bytes(16))
        with pytest.raises(DirectoryUnavailable):
            await channel.ntlm(await member.answer("ntlm-anna", PASSWORD))
        assert set(locator.failures) == {"dc1.corp.test"}

    asyncio.run(steps())


def test_nobody_to_ask(member: Member) -> None:
    async def steps() -> None:
        with pytest.raises(DirectoryUnavailable):
            await member.channel(Locate([])).ntlm(await member.answer("ntlm-anna", PASSWORD))

    asyncio.run(steps())


def test_too_many_wait(member: Member, locator: Locate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlogon_client, "MAX_WAITING", 1)

    async def steps() -> None:
        channel = member.channel(locator)
        logon = await member.answer("ntlm-anna", PASSWORD)
        outcomes = await asyncio.gather(*(channel.ntlm(logon) for _ in range(7)), return_exceptions=True)
        assert sum(isinstance(outcome, DirectoryUnavailable) for outcome in outcomes) == 2
        await channel.close()

    asyncio.run(steps())


def test_a_controller_that_hangs_is_left_for_another(
    member: Member, samba_domain: Domain, samba_second: Controller
) -> None:
    locator = Locate([samba_domain.controller("dc1"), samba_domain.controller("dc2")])

    async def steps() -> None:
        channel = member.channel(locator)
        logon = await member.answer("ntlm-anna", PASSWORD)
        assert (await channel.ntlm(logon)).status == 0
        samba_domain.signal("dc1", signal.SIGSTOP)
        try:
            verdicts = await asyncio.gather(*(channel.ntlm(logon) for _ in range(8)))
        finally:
            samba_domain.signal("dc1", signal.SIGCONT)
        assert {verdict.status for verdict in verdicts} == {0}
        assert locator.failures and set(locator.failures) == {"dc1.corp.test"}
        await channel.close()

    asyncio.run(steps())


def test_the_guest_is_nobody() -> None:
    channel = SecureChannel("CORP", "HUB1", bytes(16))
    for name, flags, key in (("alice", 1, b"k" * 16), ("alice", 0, bytes(16)), ("", 0, b"k" * 16)):
        information = LogonInformation(name, "CORP", "S-1-5-21-1-2-3-500", frozenset(), flags, key)
        assert _verdict(LogonAnswer(0, information), channel).status == LOGON_FAILURE


# The broker


def test_through_the_broker(member: Member, locator: Locate) -> None:
    async def steps() -> None:
        directory = member.directory(locator)
        async with member.broker(locator, directory) as logons:
            logon = await member.answer("ntlm-anna", PASSWORD)
            verdict = await logons.ntlm(logon)
            assert (verdict.status, verdict.name) == (0, "ntlm-anna")
            assert len(verdict.session_base_key) == 16 and any(group.endswith("-513") for group in verdict.groups)
            refused = await logons.ntlm(await member.answer("ntlm-anna", "wrong"))
            assert (refused.status, refused.session_base_key) == (0xC000006A, b"")
            locator.known.clear()
        await directory.close()

    asyncio.run(steps())


def test_a_broker_without_controllers_and_one_that_is_gone(member: Member) -> None:
    async def steps() -> None:
        nobody = Locate([])
        directory = member.directory(nobody)
        async with member.broker(nobody, directory) as logons:
            logon = await member.answer("ntlm-anna", PASSWORD)
            with pytest.raises(DirectoryUnavailable):
                await logons.ntlm(logon)
        with pytest.raises(DirectoryUnavailable):
            await logons.ntlm(logon)
        await directory.close()

    asyncio.run(steps())
