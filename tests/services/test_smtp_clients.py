"""Clients and servers that nobody here wrote: swaks, msmtp, curl, smtplib and smtp-source against our door, and our client
against smtp-sink.

NTLM is version 2 only. swaks' Perl library can do that if it is told to; msmtp's cannot at all.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.services.smtp.test_send import parcel, run, sender, smart, summary
from tests.services.smtp_doors import PASSWORD
from tests.support.ports import free_port

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SECONDS = 60


@dataclass
class Running:
    folder: Path
    internet: int
    submission: int
    implicit: int

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"


@pytest.fixture(scope="module")
def hub() -> Iterator[Running]:
    """The doors of `smtp_doors` in a process of their own."""
    folder = Path(tempfile.mkdtemp(prefix="smtp-", dir="/tmp"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.smtp_doors", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        assert ready, "the doors did not open"
        yield Running(folder, *map(int, process.stdout.readline().split()))
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def tool(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def command(*words: object, data: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(word) for word in words],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        env=os.environ | environment,
    )


# swaks does not ask its library for NTLM's second version, but does as the library was told before.
SWAKS = "use Authen::NTLM; Authen::NTLM::ntlmv2(1); $0 = shift; do $0 or die $@"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM"])
@pytest.mark.parametrize("right", [True, False])
def test_swaks(hub: Running, mechanism: str, right: bool) -> None:
    swaks = ("perl", "-e", SWAKS, tool("swaks")) if mechanism == "NTLM" else (tool("swaks"),)
    done = command(
        *swaks, "--server", f"127.0.0.1:{hub.submission}", "--tls", "--auth", mechanism, "--auth-user", "alice",
        "--auth-password", PASSWORD if right else "wrong", "--from", "alice@example.test", "--to", "bob@example.test",
    )  # fmt: skip
    if right:
        assert done.returncode == 0 and b"queued as Q" in done.stdout, done.stdout.decode()
    else:
        assert done.returncode == 28 and b"535 5.7.8" in done.stdout, done.stdout.decode()


def test_swaks_from_the_internet(hub: Running) -> None:
    done = command(
        tool("swaks"), "--server", f"127.0.0.1:{hub.internet}", "--tls", "--pipeline",
        "--from", "x@remote.test", "--to", "bob@example.test",
    )  # fmt: skip
    assert done.returncode == 0 and b"queued as Q" in done.stdout, done.stdout.decode()


@pytest.mark.parametrize("auth", ["plain", "login", "scram-sha-256"])
def test_msmtp(hub: Running, auth: str) -> None:
    program = tool("msmtp")
    done = command(
        program, "--host=localhost", f"--port={hub.submission}", "--tls=on", f"--tls-trust-file={hub.authority}",
        f"--auth={auth}", "--user=alice", f"--passwordeval=echo '{PASSWORD}'", "--from=alice@example.test",
        "bob@example.test", data=b"From: alice@example.test\nSubject: x\n\nhi\n.\n..\n", HOME=str(hub.folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("option", ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=NTLM"])
def test_curl(hub: Running, option: str) -> None:
    message = b"From: alice@example.test\r\nSubject: x\r\n\r\nhi\r\n"
    done = command(
        tool("curl"), "-sv", "--ssl-reqd", "--cacert", hub.authority, "--login-options", option,
        "--user", f"alice:{PASSWORD}", "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test",
        "--upload-file", "-", f"smtp://localhost:{hub.submission}", data=message,
    )  # fmt: skip
    assert done.returncode == 0 and b"queued as Q" in done.stdout, done.stdout.decode()


def test_curl_with_implicit_tls(hub: Running) -> None:
    done = command(
        tool("curl"), "-sv", "--cacert", hub.authority, "--login-options", "AUTH=PLAIN",
        "--user", f"alice:{PASSWORD}", "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test",
        "--upload-file", "-",
        f"smtps://localhost:{hub.implicit}", data=b"From: alice@example.test\r\n\r\nhi\r\n",
    )  # fmt: skip
    assert done.returncode == 0 and b"queued as Q" in done.stdout, done.stdout.decode()


def test_smtplib(hub: Running) -> None:
    context = ssl.create_default_context(cafile=str(hub.authority))
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "sales@example.test", "bob@example.test", "안녕"
    message.set_content("." * 3 + "\n안녕\n" * 10)
    with smtplib.SMTP("localhost", hub.submission, timeout=SECONDS) as client:
        client.starttls(context=context)
        client.login("alice", PASSWORD)
        client.send_message(message)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("alice@example.test", ["bob@example.test"], "From: bob@example.test\r\n\r\nhi")
        assert refused.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("bob@example.test", ["bob@example.test"], "From: bob@example.test\r\n\r\nhi")


@pytest.mark.parametrize("size", [4096, 400_000])
def test_smtp_source(hub: Running, size: int) -> None:
    done = command(
        tool("smtp-source"), "-s", 10, "-m", 100, "-l", size, "-f", "x@remote.test", "-t", "bob@example.test",
        f"127.0.0.1:{hub.internet}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()


@contextlib.contextmanager
def sink(*options: str) -> Iterator[tuple[int, Path]]:
    """Postfix' smtp-sink on a free port, dumping what it takes into a file."""
    program, port = tool("smtp-sink"), free_port()
    folder = Path(tempfile.mkdtemp(prefix="sink-", dir="/tmp"))
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    folder.chmod(0o777)
    process = subprocess.Popen([program, *user, "-D", str(folder / "mail"), *options, f"127.0.0.1:{port}", "100"])
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), smtplib.SMTP("127.0.0.1", port, timeout=SECONDS):
                break
        yield port, folder / "mail"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


@pytest.mark.parametrize("options", [(), ("-p",), ("-e",), ("-p", "-8"), ("-h", "sink.test")])
def test_our_client_and_smtp_sink(options: tuple[str, ...]) -> None:
    async def test() -> None:
        with sink(*options) as (port, mail):
            parcels = [parcel(data=b"Subject: n%d\r\n\r\n.dot\r\n" % number) for number in range(20)]
            outcomes = await sender().carry(smart(port), parcels)
            assert summary(outcomes) == [["relayed 2.0.0"]] * 20
            text = mail.read_bytes()
            assert text.count(b"Subject: n") == 20 and text.count(b"\n.dot\n") == 20

    run(test)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-r", "RCPT"), "delayed 4.3.0"),
        (("-f", "RCPT"), "failed 5.3.0"),
        (("-r", "."), "delayed 4.3.0"),
        (("-f", "DATA"), "failed 5.3.0"),
        (("-q", "RCPT"), "delayed 4.4.2"),
    ],
)
def test_smtp_sink_refuses(options: tuple[str, str], expected: str) -> None:
    async def test() -> None:
        with sink(*options) as (port, _):
            assert summary(await sender().carry(smart(port), [parcel()])) == [[expected]]

    run(test)
