"""The edge's and the hub's doors with clients and servers nobody here wrote: swaks with every kind of certificate, and Postfix as
the other organization in both directions."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest

from postern.model.mail import HopKind, NextHop
from postern.net.tls import Certificate
from tests.certificates import Made, make
from tests.services import postfix
from tests.services.perimeter import Perimeter
from tests.services.smtp.test_send import Names, parcel, summary
from tests.services.test_smtp_direct_trust import OUTSIDE, play

pytestmark = pytest.mark.slow
swaks = pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")


async def swaks_says(port: int, to: str, files: Certificate | None = None, *more: str) -> tuple[int, str]:
    """Exit status and what was said. Status 24 is a refused recipient, 23 a refused sender."""
    arguments = [
        "swaks",
        "--server",
        "127.0.0.1",
        "--port",
        str(port),
        "--helo",
        "client.test",
        "--from",
        "x@remote.test",
    ]
    arguments += ["--to", to, "-tls", "--body", "hello", *more]
    if files is not None:
        arguments += ["--tls-cert", str(files.chain), "--tls-key", str(files.key)]
    done = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


@swaks
def test_swaks_at_the_edge_with_every_kind_of_certificate() -> None:
    async def test(at: Perimeter) -> None:
        kinds: dict[str, tuple[Made | None, str]] = {
            "none": (None, "Anonymous"),
            "self-signed": (make("mx.remote.test"), "Anonymous"),
            "ended": (make("mx.remote.test", days=(-9, -1)), "Anonymous"),
            "of an authority": (make("mx.remote.test", at.root), "Certificate"),
        }
        for made, mechanism in kinds.values():
            files = at.files(made) if made is not None else None
            status, said = await swaks_says(at.edge_port, "bob@example.test", files)
            assert status == 0, said
            assert "AUTH" not in said
            _, content, origin = at.outer.queue.taken[-1]
            assert (origin.path, origin.mechanism) == ("edge-to-edge", mechanism)
            assert b"with ESMTPS" in content
            status, said = await swaks_says(at.edge_port, OUTSIDE, files)
            assert status == 24 and "550 5.7.1 Unable to relay" in said
        status, said = await swaks_says(at.edge_port, OUTSIDE, at.files(at.hub))
        assert status == 0, said
        assert at.outer.queue.taken[-1][2].path == "hub-to-edge"
        # The hub's certificate without its key is no proof: nobody gets as far as saying anything.
        stolen = Certificate(at.files(at.hub).chain, at.files(make("x.test")).key)
        status, _ = await swaks_says(at.edge_port, OUTSIDE, stolen)
        assert status != 0 and len(at.outer.queue.taken) == 5

    play(test)


@swaks
def test_swaks_at_a_hub_behind_an_edge() -> None:
    async def test(at: Perimeter) -> None:
        for files in (None, at.files(make("edge1.example.test")), at.files(at.hub)):
            status, said = await swaks_says(at.hub_port, "bob@example.test", files)
            assert status == 23 and "530 5.7.0 Authentication required" in said
        status, said = await swaks_says(at.hub_port, "bob@example.test", at.files(at.edge))
        assert status == 0, said
        assert at.inner.queue.taken[-1][2].path == "edge-to-hub"
        status, said = await swaks_says(at.hub_port, OUTSIDE, at.files(at.edge))
        assert status == 24 and "Unable to relay" in said

    play(test)


@pytest.mark.root
@pytest.mark.skipif(bool(postfix.MISSING), reason=postfix.MISSING or "Postfix is here")
@pytest.mark.parametrize("signed", [False, True])
def test_postfix_as_the_other_organization(signed: bool) -> None:
    async def test(at: Perimeter) -> None:
        made = make("mx.other.test", at.root if signed else None)
        mechanism = "Certificate" if signed else "Anonymous"
        with postfix.postfix(at.files(made), at.edge_port) as other:
            # In: a stranger whose certificate is its own must be able to send.
            other.send("carl@other.test", "bob@example.test", "Subject: in\n\nhello\n")
            line = await asyncio.to_thread(other.until_logged, "status=")
            assert "status=sent (250 2.0.0 Ok: queued as" in line
            assert "Untrusted TLS connection established to 127.0.0.1" in other.log
            envelope, _, origin = at.outer.queue.taken[0]
            assert (envelope.sender, origin.path, origin.mechanism) == ("carl@other.test", "edge-to-edge", mechanism)
            assert origin.protocol == "ESMTPS"
            # Out: tried with TLS, and the edge shows its own certificate.
            sender = at.sender(other.port, at.edge, at.by_edge, Names(mx_other_test=["127.0.0.1"]))
            hop = NextHop(HopKind.SMART_HOST, (f"mx.other.test:{other.port}",), "edge-to-edge")
            outcomes = await sender.carry(hop, [parcel("carl@other.test")])
            assert summary(outcomes) == [["relayed 2.0.0"]], outcomes
            assert outcomes[0][0].mechanism == mechanism and outcomes[0][0].cipher.startswith("TLS_")
            line = await asyncio.to_thread(other.until_logged, "TLS connection established from")
            assert "Untrusted" in line  # it saw a certificate, of an authority that it does not know

    play(test)
