"""Direct trust both ways over real TLS: who is in the directory is a server of ours, who is not is a stranger; nothing is sent to
a server whose certificate is another.

covers: services.smtp.login services.smtp.recipients
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import pytest

from postern.model.directory import TrustedCertificate
from postern.model.mail import Action, HopKind, NextHop
from postern.model.organization import Role
from postern.model.security import Mechanism
from tests.certificates import make
from tests.services.perimeter import TO_EDGE, Perimeter
from tests.services.smtp.test_send import Names, parcel, run, summary
from tests.services.smtp_doors import SmtpDoors
from tests.services.talk import Talk, talk

OUTSIDE = "someone@far.test"


def play(test: Callable[[Perimeter], Awaitable[None]]) -> None:
    async def body() -> None:
        perimeter = Perimeter()
        try:
            await perimeter.start()
            await test(perimeter)
        finally:
            await perimeter.close()

    run(body)


async def sealed(say: Talk, context: object) -> str:
    """The second EHLO's answer."""
    await say.reply()
    await say.ask("EHLO client.test")
    await say.start_tls(context)
    return await say.ask("EHLO client.test")


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_hub_relays_through_the_edge_by_its_certificate(size: int) -> None:
    async def test(at: Perimeter) -> None:
        seen: list[tuple[object, ...]] = []
        at.outer.observed.seen = lambda *what: seen.append(what[:3])
        data = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * (size // 12)
        outcomes = await at.from_hub(parcel(OUTSIDE, data=data), parcel(OUTSIDE))
        assert summary(outcomes) == [["relayed 2.0.0"], ["relayed 2.0.0"]]
        assert outcomes[0][0].mechanism == Mechanism.DIRECT_TRUST and outcomes[0][0].cipher.startswith("TLS_AES")
        envelope, content, origin = at.outer.queue.taken[0]
        assert [r.address for r in envelope.recipients] == [OUTSIDE] and content.endswith(data)
        assert (origin.path, origin.identity, origin.mechanism) == ("hub-to-edge", "hub1", "Direct trust")
        assert origin.protocol == "ESMTPS" and origin.cipher == outcomes[0][0].cipher
        assert b"(TLSv1.3) tls TLS_AES" in content.partition(b"Subject")[0]
        # Once for the proof, once for each message.
        assert seen == [("hub-to-edge", "127.0.0.1", "Direct trust")] * 3

    play(test)


def test_an_edge_brings_mail_in_and_vouches_for_nobody() -> None:
    async def test(at: Perimeter) -> None:
        stamped = b"Authentication-Results: edge1.example.test; spf=fail\r\nAuthentication-Results: hub.example.test; none\r\n"
        outcomes = await at.from_edge(
            parcel("bob@example.test", data=stamped + b"\r\nx\r\n"),
            parcel("carol@example.test"),
            parcel(OUTSIDE),
            parcel("nobody@example.test"),
        )
        assert summary(outcomes) == [["relayed 2.0.0"], ["failed 5.7.1"], ["failed 5.7.1"], ["failed 5.1.1"]]
        assert outcomes[1][0].diagnostic == "550 5.7.1 This recipient takes mail from authenticated senders only"
        assert outcomes[2][0].diagnostic == "550 5.7.1 Unable to relay"
        _, content, origin = at.inner.queue.taken[0]
        assert content.endswith(stamped + b"\r\nx\r\n"), "what a server of ours found out stays"
        assert (origin.path, origin.identity, origin.mechanism) == ("edge-to-hub", "edge1", "Direct trust")

    play(test)


def test_another_certificate_is_only_a_stranger_and_mail_waits() -> None:
    async def test(at: Perimeter) -> None:
        for outcomes in (
            await at.from_hub(parcel(OUTSIDE), made=make("hub1.example.test")),
            await at.from_hub(parcel(OUTSIDE), made=make("hub1.example.test", key=at.hub.key)),
            await at.from_edge(parcel(), made=at.hub),
        ):
            assert summary(outcomes) == [["delayed 4.7.5"]]
            assert "it does not know this server's certificate" in outcomes[0][0].diagnostic
        assert not at.outer.queue.taken and not at.inner.queue.taken

    play(test)


def test_nothing_is_sent_to_an_impostor() -> None:
    async def test(at: Perimeter) -> None:
        at.of_edges.entries.clear()
        await at.refresh()
        outcomes = await at.from_hub(parcel(OUTSIDE))
        assert summary(outcomes) == [["delayed 4.7.5"]]
        assert "its certificate is not what the directory has for it" in outcomes[0][0].diagnostic
        at.of_hubs.entries.clear()
        await at.refresh()
        assert summary(await at.from_edge(parcel())) == [["delayed 4.7.5"]]
        assert not at.outer.queue.taken and not at.inner.queue.taken

    play(test)


def test_another_servers_certificate_is_not_that_servers() -> None:
    async def test(at: Perimeter) -> None:
        other = make("edge3.example.test")
        at.of_edges.entries.append(TrustedCertificate("edge3", "edge3.example.test", Role.EDGE, other.der))
        await at.refresh()
        sender = at.sender(at.edge_port, at.hub, at.by_hub)
        outcomes = await sender.carry(NextHop(HopKind.EDGE, ("edge3",), "hub-to-edge"), [parcel(OUTSIDE)])
        assert summary(outcomes) == [["delayed 4.7.5"]] and "not what the directory has" in outcomes[0][0].diagnostic

    play(test)


def test_when_one_is_down_another_takes_it() -> None:
    async def test(at: Perimeter) -> None:
        sender = at.sender(at.edge_port, at.hub, at.by_hub)
        for _ in range(2):
            hop = NextHop(HopKind.EDGE, ("edge2", "edge1"), "hub-to-edge")
            assert summary(await sender.carry(hop, [parcel(OUTSIDE)])) == [["relayed 2.0.0"]]

    play(test)


def test_a_strangers_certificate_is_no_hindrance_at_an_edge() -> None:
    async def test(at: Perimeter) -> None:
        for made in (None, make("mx.other.test"), make("x" * 64), make("mx.other.test", days=(-20, -10))):
            async with talk(at.edge_port) as say:
                hello = await sealed(say, at.client_tls(made))
                assert "AUTH" not in hello
                assert (await say.ask("AUTH EXTERNAL =")).startswith("504")
                assert (await say.ask("MAIL FROM:<x@remote.test>")).startswith("250")
                assert (await say.ask(f"RCPT TO:<{OUTSIDE}>")).startswith("550 5.7.1")
                assert (await say.ask("RCPT TO:<bob@example.test>")).startswith("250")
                await say.ask("DATA", b"Subject: x\r\n\r\nx\r\n.\r\n")
        origins = {(origin.path, origin.identity, origin.mechanism) for _, _, origin in at.outer.queue.taken}
        assert origins == {("edge-to-edge", "", "Anonymous")}

    play(test)


def test_a_strangers_certificate_that_validates_is_seen_at_an_edge() -> None:
    async def test(at: Perimeter) -> None:
        async with talk(at.edge_port) as say:
            assert "AUTH" not in await sealed(say, at.client_tls(make("mx.other.test", at.root)))
            await say.ask("MAIL FROM:<x@other.test>")
            assert (await say.ask(f"RCPT TO:<{OUTSIDE}>")).startswith("550 5.7.1")
            await say.ask("RCPT TO:<bob@example.test>", "DATA", b"Subject: x\r\n\r\nx\r\n.\r\n")
        _, _, origin = at.outer.queue.taken[0]
        assert (origin.path, origin.identity, origin.mechanism) == ("edge-to-edge", "mx.other.test", "Certificate")

    play(test)


def test_a_hub_behind_an_edge_takes_no_strangers_mail() -> None:
    async def test(at: Perimeter) -> None:
        for made in (None, make("edge1.example.test")):
            async with talk(at.hub_port) as say:
                hello = await sealed(say, at.client_tls(made))
                assert "EXTERNAL" not in hello and " PLAIN" in hello
                assert await say.ask("MAIL FROM:<x@remote.test>") == "530 5.7.0 Authentication required"
        async with talk(at.hub_port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            assert (await say.ask("MAIL FROM:<x@remote.test>")).startswith("530 5.7.0")

    play(test)


def test_a_server_of_ours_may_say_external() -> None:
    async def test(at: Perimeter) -> None:
        async with talk(at.edge_port) as say:
            assert "AUTH EXTERNAL" in await sealed(say, at.client_tls(at.hub))
            assert (await say.ask("AUTH EXTERNAL aHViOQ==")).startswith("535")
            assert (await say.ask("AUTH EXTERNAL =")).startswith("235")
            assert (await say.ask("MAIL FROM:<x@example.test>")).startswith("250")
            assert (await say.ask(f"RCPT TO:<{OUTSIDE}>")).startswith("250")

    play(test)


def test_whom_the_directory_forgets_is_forgotten_at_the_next_message() -> None:
    async def test(at: Perimeter) -> None:
        async with talk(at.edge_port) as say:
            await sealed(say, at.client_tls(at.hub))
            await say.ask("MAIL FROM:<x@example.test>", f"RCPT TO:<{OUTSIDE}>", "RSET")
            at.of_hubs.entries.clear()
            await at.refresh()
            assert (await say.ask("MAIL FROM:<x@example.test>")).startswith("421 4.7.0")
            assert await say.is_closed()

    play(test)


def test_a_callee_that_validates_is_seen_as_such() -> None:
    async def test(at: Perimeter) -> None:
        names = Names(far_test=["127.0.0.1"], near_test=["127.0.0.1"])
        for shown, host, mechanism in (
            (make("far.test", at.root), "far.test", Mechanism.CERTIFICATE),
            (make("far.test", at.root), "near.test", Mechanism.ANONYMOUS),
            (make("far.test"), "far.test", Mechanism.ANONYMOUS),
        ):
            port = await at.open(at._edge_connector(), shown)
            hop = NextHop(HopKind.SMART_HOST, (f"{host}:{port}",), "edge-to-edge")
            outcomes = await at.sender(port, at.edge, at.by_edge, names).carry(hop, [parcel()])
            assert outcomes[0][0].action is Action.RELAYED
            assert outcomes[0][0].mechanism == mechanism and outcomes[0][0].cipher

    play(test)


def test_an_ended_certificate_is_refused_though_the_directory_has_it() -> None:
    async def test(at: Perimeter) -> None:
        ended = make("hub1.example.test", days=(-20, -1))
        at.of_hubs.entries.append(TrustedCertificate("hub1", "hub1.example.test", Role.HUB, ended.der))
        await at.refresh()
        outcomes = await at.from_hub(parcel(OUTSIDE), made=ended)
        assert summary(outcomes) == [["delayed 4.7.5"]] and "does not know" in outcomes[0][0].diagnostic
        assert summary(await at.from_hub(parcel(OUTSIDE))) == [["relayed 2.0.0"]]

    play(test)


@pytest.mark.parametrize(("row", "outcome"), [("edge-to-edge", "relayed 2.0.0"), ("hub-to-edge", "delayed 4.7.5")])
def test_where_tls_fails_strangers_mail_goes_in_the_clear_and_ours_waits(row: str, outcome: str) -> None:
    async def test(at: Perimeter) -> None:
        doors = SmtpDoors()
        with pytest.warns(DeprecationWarning):
            doors.tls.minimum_version = doors.tls.maximum_version = ssl.TLSVersion.TLSv1_1
        doors.tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        try:
            port = await doors.open("internet-to-hub")
            ours = row == "hub-to-edge"
            hop = TO_EDGE if ours else NextHop(HopKind.SMART_HOST, (f"127.0.0.1:{port}",), row)
            outcomes = await at.sender(port, at.hub, at.by_hub if ours else at.by_edge).carry(hop, [parcel()])
            assert summary(outcomes) == [[outcome]]
            assert [origin.cipher for _, _, origin in doors.queue.taken] == ([] if ours else [""])
        finally:
            await doors.close()

    play(test)
