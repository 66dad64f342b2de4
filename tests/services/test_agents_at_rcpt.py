"""Who may not send, and to whom, at a real door: addresses, block lists, senders, recipients and who guesses them."""

from __future__ import annotations

import asyncio
import time

from tests.services.agent_doors import AgentDoors, client
from tests.services.agents.test_pipeline import ALICE, message, run, taken


def test_blocked_and_allowed_addresses() -> None:
    async def test(doors: AgentDoors) -> None:
        doors.set("connection-filter", block=["127.0.0.0/24"], allow=["127.0.0.5"])
        one = await client(doors.port)
        assert await one.send("a@other.test", ALICE, message()) == (
            "550 5.7.1 The address 127.0.0.1 may not send mail here"
        )
        assert (await one.send("a@other.test", "postmaster@example.test", message())).startswith("250")
        allowed = await client(doors.port, source="127.0.0.5")
        # Nothing that it sends is refused as unwanted, and headers of ours are taken out all the same.
        assert (await allowed.send("x@y.test", ALICE, message("boss@forged.test", b"X-Postern-A: b\r\n"))).startswith(
            "250"
        )
        assert b"X-Postern" not in taken(doors) and b"dmarc=fail" in taken(doors)
        doors.set("connection-filter", block=["127.0.0.0/24 until 2020-01-01"])
        again = await client(doors.port)
        assert (await again.send("bob@other.test", ALICE, message())).startswith("250")

    run(test)


def test_dns_block_lists() -> None:
    async def test(doors: AgentDoors) -> None:
        doors.set("connection-filter", providers=["bl.test=127.0.0.2"])
        listed = await client(doors.port, source="127.0.0.9")
        assert (
            await listed.send("bob@other.test", ALICE, message())
            == "550 5.7.1 The address 127.0.0.9 is listed by bl.test"
        )
        assert (await listed.send("bob@other.test", "abuse@example.test", message())).startswith("550 5.1.1")
        for source in (
            "127.0.0.6",
            "127.0.0.8",
            "127.0.0.7",
        ):  # another answer, a refusal to answer, not listed
            other = await client(doors.port, source=source)
            assert (await other.send("", ALICE, message("bob@nothing.test"))).startswith("250"), source
        again = await client(doors.port, source="127.0.0.9")
        assert (await again.send("bob@other.test", ALICE, message())).startswith("550 5.7.1")
        assert doors.names.asked["9.0.0.127.bl.test"] == 1

    run(test)


def test_a_dead_block_list_lists_nobody() -> None:
    """RFC 5782 section 5: one that has 127.0.0.1 has the whole world."""

    async def test(doors: AgentDoors) -> None:
        doors.set("connection-filter", providers=["dead.test"])
        one = await client(doors.port, source="127.0.0.9")
        assert (await one.send("", ALICE, message("bob@nothing.test"))).startswith("250")
        assert doors.names.asked["1.0.0.127.dead.test"] == 1

    run(test)


def test_blocked_senders_and_recipients() -> None:
    async def test(doors: AgentDoors) -> None:
        doors.set("sender-filter", block=["spam@bulk.test", "*.evil.test"], blank=True)
        doors.set("recipient-filter", block=["bob@example.test"])
        one = await client(doors.port)
        for sender, author in (
            ("spam@bulk.test", "a@b.test"),
            ("x@a.evil.test", "a@b.test"),
            ("a@b.test", "Spam@Bulk.test"),
        ):
            assert await one.send(sender, ALICE, message(author)) == "550 5.7.1 This sender may not send mail here"
        assert await one.send("", ALICE, b"Subject: x\r\n\r\n") == "550 5.7.1 Mail without a sender is not taken"
        assert await one.send("a@b.test", "bob@example.test", message("a@b.test")) == (
            "550 5.7.1 This recipient takes no mail from outside"
        )
        assert (await one.send("ham@bulk.test", ALICE, message("ham@bulk.test"))).startswith("250")

    run(test)


def test_harvesting_costs_the_harvester_time() -> None:
    """The tarpit's own length is not measured here: what is asked meanwhile is answered after it, and others do not wait."""

    async def test(doors: AgentDoors) -> None:
        doors.set("recipient-filter", tarpit=1.5, after=2)
        one = await client(doors.port)
        await one.say("MAIL FROM:<x@nothing.test>")
        begun = time.monotonic()
        for name in ("a", "b"):
            assert await one.say(f"RCPT TO:<{name}@example.test>") == "550 5.1.1 No such recipient here"
        waiting = asyncio.create_task(one.say(f"RCPT TO:<c@example.test>\r\nRCPT TO:<{ALICE}>"))
        other = await client(doors.port, source="127.0.0.2")
        assert (await other.send("", ALICE, message("bob@nothing.test"))).startswith("250")
        assert not waiting.done() or time.monotonic() - begun > 1.4
        assert await waiting == "550 5.1.1 No such recipient here"
        assert time.monotonic() - begun > 1.4
        assert (await one.hear()).startswith("250")
        assert doors.statistics.counts["recipient-filter"].rejected == 3

    run(test)


def test_without_the_recipient_filter_everybody_is_taken() -> None:
    async def test(doors: AgentDoors) -> None:
        one = await client(doors.port)
        doors.directory.available = False
        assert (await one.send("", "nobody@example.test", message())).startswith("451 4.3.0")
        doors.set("recipient-filter", validate=False)
        assert (await one.send("", "nobody@example.test", message("bob@nothing.test"))).startswith("250")

    run(test)
