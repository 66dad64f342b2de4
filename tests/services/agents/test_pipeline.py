"""The agents behind a real door: strangers of every kind dial it, DNS is a name server of our own.

covers: transport.agents.authentication
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from postern.model.mail import EnvelopeRecipient
from postern.model.security import Identity, Mechanism, Peer, PrincipalKind
from postern.paths.guard import Offer
from postern.paths.table import TABLE
from postern.protocols.smtp.reply import Reply
from postern.services.agents import pipeline as agents_pipeline
from postern.services.smtp.session import Session
from postern.telemetry import attempts
from postern.transport.agents.catalogue import BUILT
from tests.services.agent_doors import AgentDoors, client, open_doors
from tests.services.name_server import Zone

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
ZONE: Zone = {
    ("other.test", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"],
    ("forged.test", "TXT"): ["v=spf1 -all exp=why.forged.test"],
    ("why.forged.test", "TXT"): ["%{i} is not ours"],
    ("sel._domainkey.other.test", "TXT"): [f"v=DKIM1; p={PUBLIC}"],
    ("_dmarc.other.test", "TXT"): ["v=DMARC1; p=reject"],
    ("_dmarc.forged.test", "TXT"): ["v=DMARC1; p=reject"],
    ("slow.test", "?"): [],
    ("6.0.0.127.bl.test", "A"): ["127.0.0.4"],
    ("1.0.0.127.dead.test", "A"): ["127.0.0.2"],
    ("2.0.0.127.bl.test", "A"): ["127.0.0.2"],
    ("9.0.0.127.bl.test", "A"): ["127.0.0.2"],
    ("9.0.0.127.dead.test", "A"): ["127.0.0.2"],
    ("8.0.0.127.bl.test", "A"): ["127.255.255.254"],
}
ALICE = "alice@example.test"


def message(author: str = "bob@other.test", more: bytes = b"") -> bytes:
    return (
        more + b"From: Bob <%s>\r\nTo: <alice@example.test>\r\nSubject: hello\r\n\r\nHow are you?\r\n" % author.encode()
    )


def signed(data: bytes) -> bytes:
    return bytes(dkimpy.sign(data, b"sel", b"other.test", PEM)) + data


def run(test: Callable[[AgentDoors], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_doors(ZONE) as doors:
            await test(doors)

    asyncio.run(main())


def taken(doors: AgentDoors) -> bytes:
    """The last message's header, unfolded."""
    return doors.queue.taken[-1][1].partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ")


def test_an_honest_stranger_is_taken_and_told_about() -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        assert (await one.send("bob@other.test", ALICE, signed(message()))).startswith("250")
        header = taken(doors)
        assert b"Authentication-Results: edge1.example.test; spf=pass" in header
        assert b"smtp.mailfrom=bob@other.test" in header
        assert b"dkim=pass header.d=other.test header.s=sel" in header
        assert b"dmarc=pass (SPF) header.from=other.test" in header
        assert header.startswith(b"Received: from mx.other.test")
        assert doors.queue.taken[-1][1].endswith(b"\r\n\r\nHow are you?\r\n")
        assert doors.statistics.counts["dmarc"].seen == 1 and not doors.statistics.counts["dmarc"].rejected

    run(test)


def test_a_forger_is_refused_or_stamped() -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        answer = await one.send("x@nothing.test", ALICE, message("boss@forged.test"))
        assert answer.startswith("550 5.7.1 Neither SPF nor DKIM speaks for forged.test")
        assert not doors.queue.taken and doors.statistics.counts["dmarc"].rejected == 1
        doors.set("dmarc", reject="stamp")
        assert (await one.send("x@nothing.test", ALICE, message("boss@forged.test"))).startswith("250")
        assert b"dmarc=fail (neither SPF nor DKIM speaks for it) header.from=forged.test policy.dmarc=reject" in taken(
            doors
        )
        doors.set("spf", fail="reject")
        answer = await one.send("boss@forged.test", ALICE, message("boss@forged.test"))
        assert (
            answer
            == "550 5.7.23 This address may not send mail of forged.test; forged.test says: 127.0.0.1 is not ours"
        )

    run(test)


@pytest.mark.parametrize(
    "author",
    [
        rb'"Boss" (\() <boss@forged.test>',
        b'(") <boss@forged.test> (" <x@attacker.test>)',
        b"([) <boss@forged.test> (])",
    ],
)
def test_no_comment_hides_a_forged_author(author: bytes) -> None:
    """RFC 5322 section 3.2.2: a comment ends at its parenthesis, and mail clients show who stands behind it."""

    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        answer = await one.send("x@nothing.test", ALICE, b"From: " + author + b"\r\n\r\nPay at once\r\n")
        assert answer.startswith("550 5.7.1 Neither SPF nor DKIM speaks for forged.test")
        assert not doors.queue.taken

    run(test)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (b"Subject: nobody's\r\n", "550 5.7.1 From names no domain"),
        (b"From: Boss\r\n", "550 5.7.1 From names no domain"),
        (b"From: <>\r\n", "550 5.7.1 From names no domain"),
        (b"From: Boss (<boss@forged.test>\r\n", "550 5.7.1 From names no domain"),
        (b"From: boss@[192.0.2.1]\r\n", "550 5.7.1 From names what is no domain"),
        (
            b"From: a@a.test, b@b.test, c@c.test, d@d.test, boss@forged.test\r\n",
            "550 5.7.1 From names too many domains",
        ),
        (b"X: y\r\n" * 2000 + b"From: boss@forged.test\r\n", "554 5.6.0 The header has more than 2000 fields"),
        (b"From: bob@other.test\r\n" + b"X: y\r\n" * 2000, "554 5.6.0 The header has more than 2000 fields"),
    ],
)
def test_a_from_that_cannot_be_read_is_refused(header: bytes, answer: str) -> None:
    """RFC 7489 section 6.6.1: the reader would be shown an author whom nobody held against anything."""

    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        assert (await one.send("bob@other.test", ALICE, header + b"\r\nbody\r\n")).startswith(answer)
        assert not doors.queue.taken
        doors.set("dmarc", reject="stamp")
        said = await one.send("bob@other.test", ALICE, header + b"\r\nbody\r\n")
        assert said.startswith("250" if answer.startswith("550") else "554")
        assert not doors.queue.taken or b"dmarc=permerror (From names" in taken(doors)

    run(test)


@pytest.mark.parametrize(
    ("header", "taken_"),
    [
        (b"From: <>\r\n", True),
        (b"From: Mail System <>\r\n", True),
        (b"Subject: a report\r\n", True),
        (b'From: "boss@forged.test" <>\r\n', False),
        (b"From: =?utf-8?q?boss=40forged.test?= <>\r\n", False),
        ("From: boss\uff20forged.test <>\r\n".encode(), False),
        (b"From: <>\r\nFrom: <>\r\n", False),
    ],
)
def test_a_report_of_nobody_comes_in(header: bytes, taken_: bool) -> None:
    """RFC 5321 section 4.5.5: mail with the null reverse-path is taken; a From of `<>` harms nobody."""

    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        said = await one.send("", ALICE, header + b"\r\nbody\r\n")
        assert said.startswith("250" if taken_ else "550 5.7.1 From names no domain"), said
        assert not taken_ or b"dmarc=permerror (From names no domain)" in taken(doors)

    run(test)


def test_a_from_that_the_mailbox_would_show_is_asked_about() -> None:
    """NUL is taken out of what is stored: a name that hides behind one is read without it by the agents, too."""

    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        answer = await one.send("x@nothing.test", ALICE, message("bob@nothing.test", b"Fr\0om: boss@forged.test\r\n"))
        assert answer.startswith("550 5.7.1 Neither SPF nor DKIM speaks for forged.test")

    run(test)


def test_a_signature_that_was_tampered_with_speaks_for_nobody() -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        data = signed(message()).replace(b"How are you", b"Pay at once")
        assert (await one.send("x@nothing.test", ALICE, data)).startswith("550 5.7.1")

    run(test)


def test_what_cannot_be_found_out_lets_pass() -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        assert (await one.send("bob@slow.test", ALICE, message("bob@slow.test"))).startswith("250")
        assert b"spf=temperror" in taken(doors)

    run(test)


def test_fields_of_ours_are_taken_out() -> None:
    forged = (
        b"Authentication-Results: edge1.example.test; dmarc=pass\r\nAuthentication-Results: example.test; spf=pass\r\n"
        b"Authentication-Results: mx.other.test; spf=pass\r\nX-Postern-Trusted: yes\r\n"
        b"X-MS-Exchange-Organization-SCL: -1\r\nx-ms-exchange-organization-authas: Internal\r\n"
    )

    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        assert (await one.send("bob@other.test", ALICE, message(more=forged))).startswith("250")
        header = taken(doors)
        assert header.lower().count(b"authentication-results:") == 2 and b"mx.other.test; spf=pass" in header
        assert b"x-postern" not in header.lower() and b"x-ms-exchange" not in header.lower()
        doors.set("header-firewall", enabled=False)
        doors.set("authentication-results", enabled=False)
        assert (await one.send("bob@other.test", ALICE, message(more=forged))).startswith("250")
        header = doors.queue.taken[-1][1]
        assert b"X-Postern-Trusted: yes\r\nX-MS-Exchange-Organization-SCL: -1\r\n" in header
        # RFC 8601 section 5: whatever agents run, what claims to be ours goes.
        assert header.count(b"Authentication-Results:") == 1 and b"mx.other.test; spf=pass" in header

    run(test)


def test_servers_of_ours_and_users_are_not_filtered() -> None:
    async def test(doors: AgentDoors) -> None:
        doors.set("connection-filter", block=["127.0.0.0/8"])
        agents = doors.agents.for_connection()
        for kind in (PrincipalKind.SERVER, PrincipalKind.USER):
            identity = Identity(kind, "HUB1$", Mechanism.DIRECT_TRUST)
            row = TABLE["hub-to-edge"]
            session = Session(
                Peer("127.0.0.1", 1), None, row, Offer(False, (), False), row.id, "hub1", identity=identity
            )
            assert await agents.connected(session) is None and agents.mail(session, "x@forged.test") is None
            assert await agents.rcpt(session, EnvelopeRecipient("nobody@example.test")) is None
            assert not agents.unknown(session, Reply(550, "5.1.1", "No such recipient here"))

    run(test)


AT_END = [name for name, kind in BUILT.items() if kind.acts("at_end")]


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("connection-filter", "at_connection"),
        ("sender-filter", "at_mail"),
        ("connection-filter", "at_rcpt"),
        ("recipient-filter", "at_rcpt"),
        ("recipient-filter", "at_unknown"),
    ],
)
def test_before_the_end_of_a_message_an_agent_that_fails_lets_pass(name: str, moment: str) -> None:
    async def test(doors: AgentDoors) -> None:
        def fail(*_: object) -> Any:
            raise RecursionError("maximum recursion depth exceeded")

        setattr(doors.agents.chain.by_name[name], moment, fail)  # as if it had a defect
        one = await client(doors.port)
        unknown = await one.send("bob@other.test", "nobody@example.test", signed(message()))
        assert unknown.startswith("250" if (name, moment) == ("recipient-filter", "at_rcpt") else "550 5.1.1")
        assert (await one.send("bob@other.test", ALICE, signed(message()))).startswith("250")
        assert doors.statistics.counts[name].errors

    run(test)


@pytest.mark.parametrize("name", AT_END)
def test_a_message_that_an_agent_fails_at_twice_is_refused_for_good(name: str) -> None:
    """Whichever agent it is: a stranger who finds what raises in one is not past the others' refusal."""

    async def test(doors: AgentDoors) -> None:
        doors.set("sender-id", enabled=True, fail="reject")
        one = await client(doors.port)
        agent = doors.agents.chain.by_name[name]
        whole, tried = agent.at_end, []

        async def at_end(mail: Any) -> object:
            if b"nested" in mail.header:
                tried.append(1)
                raise RecursionError("maximum recursion depth exceeded")
            return await whole(mail)

        agent.at_end = at_end  # as if it had a defect
        bad = signed(message(more=b"X-Bad: nested %b\r\n" % name.encode()))
        assert (await one.send("bob@other.test", ALICE, bad)).startswith("451 4.3.0")
        for _ in range(2):
            assert (await one.send("bob@other.test", ALICE, bad)).startswith("554 5.6.0")
        assert len(tried) == 2, "no third attempt"
        assert sum(counts.errors for counts in doors.statistics.counts.values()) == 2
        assert (await one.send("bob@other.test", ALICE, signed(message()))).startswith("250")

    run(test)


def test_what_raises_before_any_agent_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        whole = agents_pipeline.headers.fields

        def fields(header: bytes) -> object:
            if b"nested" in header:
                raise RecursionError("maximum recursion depth exceeded")
            return whole(header)

        monkeypatch.setattr(agents_pipeline.headers, "fields", fields)
        bad = signed(message(more=b"X-Bad: nested field\r\n"))
        assert (await one.send("bob@other.test", ALICE, bad)).startswith("451 4.3.0")
        assert (await one.send("bob@other.test", ALICE, bad)).startswith("554 5.6.0")
        assert (await one.send("bob@other.test", ALICE, signed(message()))).startswith("250")

    run(test)


def test_what_the_machine_lacks_is_not_the_messages_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)

        async def at_end(mail: object) -> None:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(doors.agents.chain.by_name["dkim-verification"], "at_end", at_end)
        for _ in range(3):
            assert (await one.send("bob@other.test", ALICE, signed(message()))).startswith("451 4.3.0")

    run(test)


def test_a_message_that_brought_workers_down_is_refused_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark outlives the process: here the process is taken for dead while its agents look at the message."""
    monkeypatch.setattr(attempts, "_table", attempts.Attempts())
    attempts.configure("hub-0", tmp_path)

    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        firewall = doors.agents.chain.by_name["header-firewall"]
        whole = firewall.inward

        def inward(header: bytes, names: frozenset[str]) -> tuple[bytes, list[str]]:
            if b"hangs" in header:
                attempts.blame("hub-0", tmp_path, "it did not answer")
            return whole(header, names)

        firewall.inward = inward  # type: ignore[method-assign]  # as if it hung
        bad = signed(message(more=b"X-Bad: hangs\r\n"))
        for _ in range(2):
            assert (await one.send("bob@other.test", ALICE, bad)).startswith("250")
            attempts.configure("hub-0", tmp_path)  # the next process of this name
        assert (await one.send("bob@other.test", ALICE, bad)).startswith("554 5.6.0")

    run(test)


def test_a_large_message_is_verified_whole() -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        data = signed(message() + b"a line of text  with spaces \r\n" * 100_000)
        assert (await one.send("x@nothing.test", ALICE, data)).startswith("250")
        assert b"dkim=pass" in taken(doors) and b"dmarc=pass (DKIM)" in taken(doors)
        changed = data[:-40] + b"X" + data[-39:]
        assert (await one.send("x@nothing.test", ALICE, changed)).startswith("550 5.7.1")

    run(test)


def test_sender_id_is_there_for_who_wants_it() -> None:
    async def test(doors: AgentDoors) -> None:
        doors.set("sender-id", enabled=True, fail="reject")
        one = await client(doors.port)
        assert (await one.send("bob@other.test", ALICE, message("bob@other.test"))).startswith("250")
        assert b"sender-id=pass" in taken(doors) and b"header.pra=bob@other.test" in taken(doors)
        answer = await one.send("bob@other.test", ALICE, message("bob@other.test", b"Sender: eve@forged.test\r\n"))
        assert answer.startswith("550 5.7.23 This address may not send mail of forged.test")

    run(test)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
def test_swaks_sends_what_dkimpy_signed() -> None:
    async def test(doors: AgentDoors) -> None:
        process = await asyncio.create_subprocess_exec(
            *("swaks", "--server", "127.0.0.1", "--port", str(doors.port), "--helo", "mx.other.test"),
            *("--from", "bob@other.test", "--to", ALICE, "--data", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate(signed(message()))
        assert process.returncode == 0, said.decode()
        assert b"spf=pass" in taken(doors) and b"dkim=pass" in taken(doors) and b"dmarc=pass" in taken(doors)

    run(test)
