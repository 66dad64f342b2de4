"""The send connector against our own receive connector, and against servers that misbehave as they are told.

covers: dialog
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
import uvloop

from postern.model.mail import Action, BodyType, Content, Envelope, EnvelopeRecipient, HopKind, NextHop, Origin, Parcel
from postern.model.organization import AcceptedDomain, Organization, Profile, Role, Server
from postern.net.dns import DnsError, MailHost, Resolver
from postern.paths.table import TABLE, settle
from postern.services.smtp.dialog import Timeouts
from postern.services.smtp.send import SenderProofs, SmtpSender
from postern.telemetry.observed import Observed
from tests.services.smtp_doors import SmtpDoors
from tests.support.ports import free_port

ORIGIN = Origin("client-to-hub-smtp", "127.0.0.1")
MESSAGE = b"Subject: x\r\n\r\n.dot\r\nend\r\n"
ROWS = settle(Profile.PRACTICAL)
SHORT = Timeouts(connect=2, greeting=2, command=2, data=2, block=2, end=2)


def parcel(*recipients: str, data: bytes = MESSAGE, **words: object) -> Parcel:
    to = tuple(EnvelopeRecipient(recipient) for recipient in recipients or ("bob@example.test",))
    envelope = Envelope("x@remote.test", to, **words)
    return Parcel("Q1", "<1@x>", envelope, Content.of(data), ORIGIN, 0.0)


class Names(Resolver):
    """Answers from a dictionary: domain to MX hosts, host to addresses; a DnsError is raised."""

    def __init__(self, **answers: object) -> None:
        super().__init__(TABLE["any-server-to-dns"], ["127.0.0.1"])
        self.answers = answers

    async def mail_hosts(self, domain: str) -> list[MailHost]:
        return self._answer(domain)

    async def addresses(self, host: str) -> list[str]:
        return self._answer(host) if not host[0].isdigit() else [host]

    def _answer(self, name: str) -> list:
        answer = self.answers[name.replace(".", "_")]
        if isinstance(answer, DnsError):
            raise answer
        return list(answer)


def sender(port: int = 25, resolver: Resolver | None = None) -> SmtpSender:
    server = Server("HUB1", "hub1.example.test", frozenset({Role.HUB}), ("127.0.0.1",))
    organization = Organization("test", (AcceptedDomain("example.test"),), (server,), offset=port - 25)
    return SmtpSender(
        ROWS, organization, resolver or Names(), Observed(None), SenderProofs("hub1.example.test"), SHORT, port
    )


def smart(port: int) -> NextHop:
    return NextHop(HopKind.SMART_HOST, (f"127.0.0.1:{port}",), "hub-to-internet")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


def summary(outcomes: Sequence[Sequence]) -> list[list[str]]:
    return [[f"{o.action} {o.status}" for o in parcel_outcomes] for parcel_outcomes in outcomes]


@contextlib.asynccontextmanager
async def scripted(
    *replies: bytes, hello: bytes = b"250 odd\r\n", tls: bool = False
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives these replies to the commands behind EHLO, one each, then closes; and what it heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = iter(replies)
        with contextlib.suppress(ConnectionError):
            writer.write(b"220 odd\r\n")
            while line := await reader.readline():
                heard.append(line)
                answer = hello if line.startswith(b"EHLO") else next(answers, None)
                if answer is None:
                    break
                writer.write(answer)
                if answer.startswith(b"354"):
                    while (content := await reader.readline()) not in (b".\r\n", b""):
                        heard.append(content)
                    writer.write(next(answers, b""))
            writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield port, heard
    finally:
        server.close()


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize("tls", [True, False])
def test_several_parcels_over_one_connection(size: int, tls: bool) -> None:
    async def test() -> None:
        doors = SmtpDoors()
        try:
            port = await doors.open("internet-to-hub", tls=tls)
            data = MESSAGE + b"0123456789\r\n" * size
            parcels = [
                parcel("bob@example.test", "nobody@example.test", data=data),
                parcel("nobody@example.test"),
                parcel(),
            ]
            outcomes = await sender().carry(smart(port), parcels)
            assert summary(outcomes) == [["relayed 2.0.0", "failed 5.1.1"], ["failed 5.1.1"], ["relayed 2.0.0"]]
            assert outcomes[0][1].diagnostic == "550 5.1.1 No such recipient here"
            assert bool(outcomes[0][0].cipher) == tls
            assert outcomes[0][0].notifies
            assert len(doors.queue.taken) == 2
            assert doors.queue.taken[0][1].endswith(data)
            assert doors.queue.taken[0][2].protocol == ("ESMTPS" if tls else "ESMTP")
        finally:
            await doors.close()

    run(test)


def test_mx_in_order_and_never_back_to_us() -> None:
    async def test() -> None:
        doors = SmtpDoors()
        try:
            port = await doors.open("internet-to-hub")
            names = Names(
                good_test=[MailHost(5, "dead.test"), MailHost(10, "live.test")],
                ours_test=[MailHost(5, "HUB1.example.test".lower()), MailHost(10, "live.test")],
                null_test=DnsError("5.1.10", "no mail"),
                later_test=DnsError("4.4.3", "no answer"),
                bare_test=[MailHost(0, "none.test")],
                none_test=DnsError("5.4.4", "no address"),
                dead_test=["127.0.0.9"],
                live_test=["127.0.0.1"],
            )
            found = {}
            for domain in ("good.test", "ours.test", "null.test", "later.test", "bare.test", "[127.0.0.1]"):
                hop = NextHop(HopKind.SMTP, (domain,), "hub-to-internet")
                found[domain] = summary(await sender(port, names).carry(hop, [parcel()]))[0][0]
            assert found == {
                "good.test": "relayed 2.0.0",
                "ours.test": "failed 5.4.6",
                "null.test": "failed 5.1.10",
                "later.test": "delayed 4.4.3",
                "bare.test": "failed 5.4.4",
                "[127.0.0.1]": "relayed 2.0.0",
            }
        finally:
            await doors.close()

    run(test)


def test_nobody_answers() -> None:
    async def test() -> None:
        outcomes = await sender().carry(smart(free_port()), [parcel(), parcel()])
        assert summary(outcomes) == [["delayed 4.4.1"], ["delayed 4.4.1"]]

    run(test)


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 done\r\n"), "relayed 2.0.0"),
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"554 5.7.1 spam\r\n"), "failed 5.7.1"),
        ((b"250 ok\r\n", b"250 ok\r\n", b"451 4.3.0 later\r\n"), "delayed 4.3.0"),
        ((b"250 ok\r\n", b"450 4.2.0 grey\r\n", b"250 ok\r\n"), "delayed 4.2.0"),
        ((b"552 5.3.4 large\r\n",), "failed 5.3.4"),
        ((b"552 large\r\n",), "failed 5.0.0"),
        # RFC 5321 section 4.5.3.1.10: too many recipients, for now.
        ((b"250 ok\r\n", b"552 too many\r\n", b"250 ok\r\n"), "delayed 4.5.3"),
        ((b"250 ok\r\n", b"552 5.5.3 too many\r\n", b"250 ok\r\n"), "delayed 4.5.3"),
        ((b"250 ok\r\n", b"552 5.2.2 full\r\n", b"250 ok\r\n"), "failed 5.2.2"),
        ((b"250 ok\r\n", b"421 4.3.2 bye\r\n"), "delayed 4.3.2"),
        ((b"250 ok\r\n",), "delayed 4.4.2"),
        ((b"what?\r\n",), "delayed 4.4.2"),
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"), "delayed 4.4.2"),
    ],
)
def test_an_old_server_s_answers(replies: tuple[bytes, ...], outcome: str) -> None:
    async def test() -> None:
        async with scripted(*replies) as (port, heard):
            assert summary(await sender().carry(smart(port), [parcel()])) == [[outcome]]
            if b"250 done\r\n" in replies:
                assert b"..dot\r\n" in heard

    run(test)


def test_what_the_next_server_cannot_take() -> None:
    async def test() -> None:
        async with scripted(hello=b"250-odd\r\n250 SIZE 100\r\n") as (port, heard):
            parcels = [
                parcel(body=BodyType.EIGHT_BIT_MIME),
                parcel(smtputf8=True),
                parcel(data=b"x" * 101),
                parcel(data=b"a\nb\r\n"),
            ]
            outcomes = await sender().carry(smart(port), parcels)
            assert [o[0] for o in summary(outcomes)] == ["failed 5.6.3", "failed 5.6.7", "failed 5.3.4", "failed 5.6.0"]
            assert not any(line.startswith(b"MAIL") for line in heard)

    run(test)


def test_tls_that_fails_is_done_without_only_where_the_row_allows() -> None:
    async def test() -> None:
        replies = (b"220 go\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 done\r\n")
        hello = b"250-odd\r\n250 STARTTLS\r\n"
        # The handshake's first octets are no line: the server closes, and the second connection gets the replies anew.
        async with scripted(*replies[1:], hello=hello) as (port, heard):
            outcomes = await sender().carry(smart(port), [parcel()])
            assert b"STARTTLS\r\n" in heard
            assert outcomes[0][0].action is not Action.FAILED
        async with scripted(*replies, hello=hello) as (port, heard):
            hop = NextHop(HopKind.HUB, ("HUB1",), "hub-to-hub")
            outcomes = await sender(port).carry(hop, [parcel()])
            assert summary(outcomes)[0][0].startswith("delayed 4.7")
            assert not any(line.startswith(b"MAIL") for line in heard)

    run(test)


def test_another_hub_needs_tls_and_credentials() -> None:
    async def test() -> None:
        hop = NextHop(HopKind.HUB, ("HUB1",), "hub-to-hub")
        doors = SmtpDoors()
        try:
            without = await doors.open("internet-to-hub", tls=False)
            assert summary(await sender(without).carry(hop, [parcel()])) == [["delayed 4.7.4"]]
            with_tls = await doors.open("internet-to-hub")
            outcomes = await sender(with_tls).carry(hop, [parcel()])
            assert summary(outcomes) == [["delayed 4.7.0"]]
            assert "no credentials for Kerberos" in outcomes[0][0].diagnostic
        finally:
            await doors.close()

    run(test)


def test_someone_between_who_speaks_behind_starttls() -> None:
    async def test() -> None:
        replies = (b"220 go\r\n250-odd\r\n250 AUTH PLAIN\r\n",)
        async with scripted(*replies, hello=b"250-odd\r\n250 STARTTLS\r\n") as (port, heard):
            outcomes = await sender().carry(smart(port), [parcel()])
            assert summary(outcomes) == [["delayed 4.7.0"]]
            assert not any(line.startswith(b"MAIL") for line in heard)

    run(test)
