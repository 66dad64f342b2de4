"""The receive connector on a real door: what it offers, refuses, accepts and writes, over real TLS.

covers: receive_connector
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import spnego
import uvloop
from spnego.channel_bindings import GssChannelBindings

from postern.model.mail import BodyType
from postern.model.organization import Limits, Profile
from postern.services.smtp import receive as smtp_receive
from postern.services.smtp.login import Authentication
from postern.services.smtp.receive_connector import ReceiveConnector
from postern.telemetry import attempts
from postern.telemetry.metrics import Metrics
from tests.services.smtp_doors import PASSWORD, SmtpDoors
from tests.services.talk import Talk, talk
from tests.support.counts import refusals

Test = Callable[[SmtpDoors], Awaitable[None]]
MESSAGE = b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: hi\r\n\r\nText\r\n.\r\n"


def plain(name: str, password: str = PASSWORD) -> str:
    return "AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()).decode()


def play(test: Test, limits: Limits | None = None, profile: Profile = Profile.PRACTICAL) -> None:
    async def run() -> None:
        doors = SmtpDoors(limits, profile)
        try:
            async with asyncio.timeout(60):
                await test(doors)
        finally:
            await doors.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def deliver(say: Talk, sender: str = "x@remote.test", recipient: str = "bob@example.test") -> str:
    assert (await say.ask(f"MAIL FROM:<{sender}>")).startswith("250 2.1.0")
    assert (await say.ask(f"RCPT TO:<{recipient}>")).startswith("250 2.1.5")
    assert (await say.ask("DATA")).startswith("354")
    return await say.ask(MESSAGE)


async def logged_on(doors: SmtpDoors, port: int, name: str = "alice") -> AsyncIterator[Talk]:
    async with talk(port) as say:
        await say.reply()
        await say.ask("EHLO client.test")
        await say.start_tls(doors.client_tls())
        await say.ask("EHLO client.test")
        assert (await say.ask(plain(name))).startswith("235 2.7.0")
        yield say


def test_a_domain_is_ours_in_either_spelling() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub")
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            assert (await say.ask("MAIL FROM:<x@remote.test> SMTPUTF8")).startswith("250")
            for domain in ("회사.test", "xn--vf4b131b.test", "XN--VF4B131B.test"):
                assert (await say.ask(f"RCPT TO:<kim@{domain}>")).startswith("250 2.1.5"), domain
                assert (await say.ask(f"RCPT TO:<nobody@{domain}>")).startswith("550 5.1.1"), domain

    play(test)


def test_a_message_from_the_internet() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub", "client-to-hub-smtp")
        async with talk(port) as say:
            assert (await say.reply()).startswith("220 hub.example.test ESMTP")
            hello = await say.ask("EHLO client.test")
            assert "STARTTLS" in hello and "AUTH" not in hello and "BINARYMIME" not in hello
            assert await deliver(say) == "250 2.0.0 Ok: queued as Q1"
            assert (await say.ask("QUIT")).startswith("221")
            assert await say.is_closed()
        envelope, content, origin = doors.queue.taken[0]
        assert (envelope.sender, [r.address for r in envelope.recipients]) == ("x@remote.test", ["bob@example.test"])
        trace, _, rest = content.partition(b"From: ")
        assert b"from client.test ([127.0.0.1])" in trace and b"with ESMTP\r\n" in trace
        assert b"for <bob@example.test>;" in trace
        assert rest == MESSAGE[len(b"From: ") : -3]
        assert (origin.path, origin.client, origin.identity) == ("internet-to-hub", "127.0.0.1", "")

    play(test)


def test_nobody_else_speaks_for_us_in_authentication_results() -> None:
    """RFC 8601 section 5: neither a stranger nor a user, whatever agents are on."""
    others = b"Authentication-Results: mx.remote.test; spf=pass\r\n"
    forged = (
        b"authentication-results : (a\r\n (b)) HUB.example.test.;\r\n dmarc=pass header.from=example.test\r\n",
        b"Authentication-Results: example.test; dkim=pass\r\n",
        b'X-Original-Authentication-Results: "hub.example.test"; spf=pass\r\n',
    )
    header = b"From: alice@example.test\r\nDate: x\r\nMessage-ID: <1@x>\r\n"

    async def send(say: Talk) -> None:
        await say.ask("MAIL FROM:<alice@example.test>", "RCPT TO:<bob@example.test>", "DATA")
        forgery = forged[0] + header + forged[1] + others + forged[2]
        assert (await say.ask(forgery + b"\r\nText\r\n.\r\n")).startswith("250")

    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub", "client-to-hub-smtp")
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            await send(say)
        async for say in logged_on(doors, port):
            await send(say)
        for _, content, origin in doors.queue.taken:
            assert content.endswith(b"\r\n" + header + others + b"\r\nText\r\n"), origin.path
        assert [origin.path for _, _, origin in doors.queue.taken] == ["internet-to-hub", "client-to-hub-smtp"]

    play(test)


def test_one_connection_too_many_hears_421() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub", "client-to-hub-smtp", per_address=1)
        async with talk(port) as say:
            await say.reply()
            async with talk(port) as other:
                assert await other.reply() == "421 4.3.2 hub.example.test Too many connections"
                assert await other.is_closed()

    play(test)


def test_who_exists_and_who_may_relay() -> None:
    async def test(doors: SmtpDoors) -> None:
        async with talk(await doors.open("internet-to-hub", "client-to-hub-smtp")) as say:
            await say.reply()
            await say.ask("EHLO client.test", "MAIL FROM:<x@remote.test>")
            for recipient, code in {
                "alice@example.test": "250 2.1.5",
                "ALICE+tag@Example.TEST": "250 2.1.5",
                "nobody@example.test": "550 5.1.1",
                "carol@example.test": "550 5.7.1",
                "anyone@relay.test": "250 2.1.5",
                "bob@elsewhere.test": "550 5.7.1",
                "bob@[127.0.0.1]": "550 5.7.1",
                "postmaster@example.test": "250 2.1.5",
                "postmaster": "250 2.1.5",
            }.items():
                assert (await say.ask(f"RCPT TO:<{recipient}>")).startswith(code), recipient
            doors.directory.available = False
            assert (await say.ask("RCPT TO:<alice@example.test>")).startswith("451 4.3.0")
            await say.ask("DATA")
            await say.ask(MESSAGE)
        assert doors.queue.taken[0][0].recipients[-1].address == "postmaster@example.test"

    play(test)


def test_submission_needs_tls_then_a_password() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=587)
        async with talk(port) as say:
            await say.reply()
            assert "AUTH" not in await say.ask("EHLO client.test")
            assert (await say.ask("MAIL FROM:<alice@example.test>")).startswith("530 5.7.0 Must issue a STARTTLS")
            assert (await say.ask(plain("alice"))).startswith("538 5.7.11")
            await say.start_tls(doors.client_tls())
            assert (await say.ask(plain("alice"))).startswith("503")
            assert "AUTH NTLM PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256" in await say.ask("EHLO client.test")
            assert (await say.ask("STARTTLS")).startswith("503")
            assert (await say.ask("MAIL FROM:<alice@example.test>")).startswith("530 5.7.0")
            assert (await say.ask("AUTH CRAM-MD5")).startswith("504 5.5.4")
            # RFC 4954 section 4: "=" is an initial response of no octets, not the lack of one.
            assert (await say.ask("AUTH PLAIN =")).startswith("535 5.7.8")
            assert (await say.ask(plain("alice", "wrong"))).startswith("535 5.7.8")
            assert (await say.ask(plain("alice"))).startswith("235 2.7.0")
            assert (await deliver(say, "alice@example.test", "far@away.test")).startswith("250 2.0.0")
        _, content, origin = doors.queue.taken[0]
        assert (origin.path, origin.identity, origin.mechanism) == ("client-to-hub-smtp", "alice@example.test", "Basic")
        assert b"with ESMTPSA\r\n\t(TLSv1.3) tls TLS_" in content
        assert b"\r\nDate: " in content and b"\r\nMessage-ID: <" in content

    play(test)


def test_the_reference_knows_no_passwords_in_smtp() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=587)
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            await say.start_tls(doors.client_tls())
            assert "AUTH NTLM\n" in await say.ask("EHLO client.test") + "\n"
            assert (await say.ask(plain("alice"))).startswith("504 5.5.4")

    play(test, profile=Profile.REFERENCE)


@pytest.mark.parametrize(("bound_to", "code"), [(None, "235"), ("this", "235"), ("another", "535")])
def test_ntlm_is_bound_to_the_channel(bound_to: str | None, code: str) -> None:
    """The client is pyspnego's; the binding is made of what the client saw of the server (RFC 5929 section 4.1)."""

    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=465)
        async with talk(port, doors.client_tls()) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            certificate = say.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            seen = hashlib.sha256(certificate if bound_to == "this" else b"a man in the middle").digest()
            bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + seen) if bound_to else None
            client = spnego.client(
                *("alice@example.test", PASSWORD, "localhost", "smtp"), protocol="ntlm", channel_bindings=bindings
            )
            challenge = await say.ask("AUTH NTLM " + base64.b64encode(client.step()).decode())
            answer = client.step(base64.b64decode(challenge[4:]))
            assert (await say.ask(base64.b64encode(answer).decode())).startswith(code)

    play(test)


def test_each_refusal_is_counted_once(counted: Metrics) -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=587)
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            assert (await say.ask("MAIL FROM:<alice@example.test>")).startswith("530")
            await say.ask("RSET")
            assert (await say.ask(plain("alice"))).startswith("5")
        async with talk(await doors.open("client-to-hub-smtp", number=465), doors.client_tls()) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            assert (await say.ask("AUTH PLAIN AGFsaWNlAHdyb25n")).startswith("535")

    play(test)
    refused = refusals(counted)
    assert sum(refused.values()) == 3, refused
    assert refused["client-to-hub-smtp", "authentication-failed"] == 1


@pytest.mark.parametrize("line", ["*", "not base64!", "x" * 20_000])
def test_an_exchange_that_the_client_breaks_off_is_forgotten(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Authentication] = []

    class Kept(Authentication):
        def __init__(self, connector: ReceiveConnector) -> None:
            super().__init__(connector)
            made.append(self)

    monkeypatch.setattr(smtp_receive, "Authentication", Kept)

    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=465)
        async with talk(port, doors.client_tls()) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            token = base64.b64encode(spnego.client("alice", PASSWORD, "localhost", "smtp", protocol="ntlm").step())
            assert (await say.ask("AUTH NTLM " + token.decode())).startswith("334")
            assert made[0]._auth._acceptor is not None
            assert (await say.ask(line)).startswith("50")
            assert (await say.ask("NOOP")).startswith("250")
            assert made[0]._auth._acceptor is None
            assert (await say.ask(plain("alice"))).startswith("235")

    play(test)


def test_a_session_ends_when_the_password_was_changed() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=465)
        async with talk(port, doors.client_tls()) as say, talk(port, doors.client_tls()) as other:
            for one, name in ((say, "alice"), (other, "bob")):
                await one.reply()
                await one.ask("EHLO client.test", plain(name), f"MAIL FROM:<{name}@example.test>")
            alice = doors.directory.accounts["alice"]
            doors.directory.accounts["alice"] = replace(alice, credentials="of another password")
            for _ in range(2):
                await doors.authenticator.reauthorization.round()
            assert (await say.reply()).startswith("421 4.7.0 ")
            assert (await other.ask("RCPT TO:<carol@example.test>")).startswith("250")

    play(test)


def test_who_may_send_as_whom() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=465)
        async with talk(port, doors.client_tls()) as say:
            await say.reply()
            await say.ask("EHLO client.test", plain("alice"))
            assert (await say.ask("MAIL FROM:<bob@example.test>")).startswith("550 5.7.1")
            for sender in ("", "ALICE@example.test", "sales@example.test"):
                assert (await deliver(say, sender)).startswith("250 2.0.0")
            await say.ask("MAIL FROM:<alice@example.test>", "RCPT TO:<bob@example.test>", "DATA")
            forged = MESSAGE.replace(b"From: alice", b"From: bob")
            assert (await say.ask(forged)).startswith("550 5.7.1")
            assert (await say.ask("NOOP")).startswith("250")
        assert len(doors.queue.taken) == 3

    play(test)


def test_a_delegate_sends_on_behalf() -> None:
    async def test(doors: SmtpDoors) -> None:
        mail = doors.directory.mail
        mail["bob@example.test"] = replace(mail["bob@example.test"], delegates=("alice@example.test",))
        port = await doors.open("client-to-hub-smtp", number=465)
        async with talk(port, doors.client_tls()) as say:
            await say.reply()
            await say.ask("EHLO client.test", plain("alice"))
            for_bob = MESSAGE.replace(b"From: alice", b"From: bob")
            for sender in ("alice@example.test", "bob@example.test"):
                await say.ask(f"MAIL FROM:<{sender}>", "RCPT TO:<carol@example.test>", "DATA")
                assert (await say.ask(for_bob)).startswith("250 2.0.0"), sender
            # Not the other way round, and not as somebody else.
            assert (await say.ask("MAIL FROM:<carol@example.test>")).startswith("550 5.7.1")
            await say.ask("MAIL FROM:<alice@example.test>", "RCPT TO:<bob@example.test>", "DATA")
            refused = await say.ask(MESSAGE.replace(b"From: alice", b"From: carol"))
            assert refused == "550 5.7.1 You may not send as the address in From, nor on its behalf"
            # Without an answer it is not known yet.
            doors.directory.available = False
            assert (await say.ask("MAIL FROM:<bob@example.test>")).startswith("451 4.3.0")
        async with talk(port, doors.client_tls()) as say:
            doors.directory.available = True
            await say.reply()
            await say.ask("EHLO client.test", plain("bob"))
            assert (await say.ask("MAIL FROM:<alice@example.test>")).startswith("550 5.7.1")
        for _, content, _ in doors.queue.taken:
            assert b"\r\nSender: <alice@example.test>\r\n" in content and b"\r\nFrom: bob" in content
        assert len(doors.queue.taken) == 2

    play(test)


def test_whom_mail_named_is_not_asked_for_again() -> None:
    async def test(doors: SmtpDoors) -> None:
        mail = doors.directory.mail
        for other in ("bob@example.test", "carol@example.test"):
            mail[other] = replace(mail[other], delegates=("alice@example.test",))
        port = await doors.open("client-to-hub-smtp", number=465)
        async with talk(port, doors.client_tls()) as say:
            await say.reply()
            await say.ask("EHLO client.test", plain("alice"))
            for authors, available in ((b"bob@example.test", False), (b"bob@example.test, carol@example.test", True)):
                await say.ask("MAIL FROM:<bob@example.test>", "RCPT TO:<carol@example.test>", "DATA")
                doors.directory.available = available
                assert (await say.ask(MESSAGE.replace(b"alice@example.test", authors, 1))).startswith("250 2.0.0")
                doors.directory.available = True
            # The next transaction knows nothing of the last one.
            await say.ask("MAIL FROM:<alice@example.test>", "RCPT TO:<carol@example.test>", "DATA")
            doors.directory.available = False
            assert (await say.ask(MESSAGE.replace(b"From: alice", b"From: bob"))).startswith("451 4.3.0")
        assert len(doors.queue.taken) == 2

    play(test)


def test_a_submission_whose_header_fails_twice_is_refused_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_table", attempts.Attempts())

    def fail(*_: object) -> bytes:
        raise RecursionError("maximum recursion depth exceeded")

    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp", number=465)
        monkeypatch.setattr(smtp_receive, "fix_header", fail)
        answers = []
        for _ in range(3):
            async with talk(port, doors.client_tls()) as say:
                await say.reply()
                await say.ask("EHLO client.test", plain("alice"))
                answers.append(await deliver(say, "alice@example.test"))
        assert [answer[:3] for answer in answers[:2]] == ["421", "421"]
        assert answers[2].startswith("554 5.6.0")

    play(test)


def test_words_behind_starttls_are_not_obeyed() -> None:
    """notes/models: with asyncio's streams, clear text sent behind STARTTLS is obeyed after the handshake."""

    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub")
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            say.send(b"STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@remote.test>\r\nRCPT TO:<bob@example.test>\r\n")
            assert (await say.reply()).startswith("220")
            await say.writer.start_tls(doors.client_tls(), server_hostname="localhost")
            # Were the words obeyed, the answer to the first command would be theirs.
            assert (await say.ask("RCPT TO:<bob@example.test>")).startswith("503 5.5.1")
            assert "STARTTLS" not in await say.ask("EHLO client.test")
            assert (await say.ask("RCPT TO:<bob@example.test>")).startswith("503 5.5.1")

    play(test)


def test_large_messages_are_spooled() -> None:
    body = b"Subject: big\r\n\r\n" + (b"0123456789" * 9 + b"\r\n") * 20_000

    async def test(doors: SmtpDoors) -> None:
        async with talk(await doors.open("internet-to-hub")) as say:
            await say.reply()
            await say.ask("EHLO c", "MAIL FROM:<x@remote.test>", "RCPT TO:<bob@example.test>", "DATA")
            assert (await say.ask(body + b".\r\n")).startswith("250 2.0.0")
            await say.ask("MAIL FROM:<x@remote.test>", "RCPT TO:<bob@example.test>")
            assert (await say.ask(f"BDAT {len(body)} LAST\r\n".encode() + body)).startswith("250 2.0.0")
            await say.ask("MAIL FROM:<x@remote.test>", "RCPT TO:<bob@example.test>", "DATA")
            assert (await say.ask(b"X: " + b"x" * 400_000 + b"\r\n\r\n.\r\n")).startswith("552 5.3.4")
        assert [content.endswith(b"\r\n" + body) for _, content, _ in doors.queue.taken] == [True, True]

    play(test)


def test_limits() -> None:
    async def test(doors: SmtpDoors) -> None:
        async with talk(await doors.open("internet-to-hub")) as say:
            await say.reply()
            await say.ask("EHLO c")
            assert (await say.ask("MAIL FROM:<x@remote.test> SIZE=2001")).startswith("552 5.3.4")
            await say.ask("MAIL FROM:<x@remote.test>", "RCPT TO:<bob@example.test>")
            assert (await say.ask("RCPT TO:<bob@example.test>")).startswith("452 4.5.3")
            await say.ask("DATA")
            assert (await say.ask(b"Received: x\r\n" * 4 + b"\r\n.\r\n")).startswith("554 5.4.6")
            doors.queue.broken = True
            assert (await deliver(say)).startswith("452 4.3.1")
            assert (await say.ask("FROB", "FROB")).startswith("500")
            assert (await say.ask("FROB", b"")).startswith("421 4.7.0")
            assert await say.is_closed()

    play(test, Limits(message_size=2000, recipients=1, received_headers=3, errors_per_connection=4))


def test_silence_ends_with_421() -> None:
    async def test(doors: SmtpDoors) -> None:
        async with talk(await doors.open("internet-to-hub")) as say:
            await say.reply()
            assert (await say.reply()).startswith("421 4.4.2")
            assert await say.is_closed()

    play(test, Limits(idle_timeout=0.05))


def test_who_does_not_read_is_not_answered_for_ever() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub")
        async with talk(port) as say:
            say.writer.transport.pause_reading()
            for _ in range(200):
                say.send(b"HELP\r\n" * 10_000)
                try:
                    async with asyncio.timeout(0.5):
                        await say.writer.drain()
                except TimeoutError:
                    break
            else:
                pytest.fail("2 million commands were taken without their answers being read")
            say.writer.transport.abort()  # closing in order would wait for what the server does not take

    play(test)


def test_declared_or_not_the_envelope_says_what_the_content_needs() -> None:
    async def test(doors: SmtpDoors) -> None:
        async with talk(await doors.open("internet-to-hub")) as say:
            await say.reply()
            await say.ask("EHLO c", "MAIL FROM:<x@remote.test> SMTPUTF8", "RCPT TO:<bob@example.test>", "DATA")
            await say.ask("Subject: 안녕\r\n\r\n.".encode() + b"\r\n")
            await say.ask("MAIL FROM:<x@remote.test> SMTPUTF8 BODY=8BITMIME", "RCPT TO:<bob@example.test>", "DATA")
            await say.ask(b"Subject: a\r\n\r\n.\r\n")
        envelopes = [envelope for envelope, _, _ in doors.queue.taken]
        assert [(e.body, e.smtputf8) for e in envelopes] == [
            (BodyType.EIGHT_BIT_MIME, True),
            (BodyType.SEVEN_BIT, False),
        ]

    play(test)
