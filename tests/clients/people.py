"""A user of the running organization, and how a foreign program is run as that user."""

from __future__ import annotations

import imaplib
import os
import shutil
import smtplib
import ssl
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.organization import PASSWORD, Organization

KERBEROS_PASSWORD = "wonderland"
SECONDS = 60
HOST = "localhost"


def message(number: int, body: str = "안녕") -> bytes:
    return (
        f"From: sender@example.test\r\nTo: alice@example.test\r\nSubject: message {number}\r\n"
        f"Date: Mon, 23 Nov 2026 12:00:{number:02d} +0000\r\nMessage-ID: <{number}@example.test>\r\n"
        f"Content-Type: text/plain; charset=UTF-8\r\n\r\n.body {number}\r\n..\r\n{body}\r\n"
    ).encode()


def body_of(content: bytes) -> bytes:
    """The body with plain line ends, as mail folders on disk have it."""
    return content.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


def trusting(organization: Organization) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(organization.authority))


@dataclass(frozen=True)
class Mailbox:
    """`address` is the logon name too."""

    organization: Organization
    address: str

    def imap(self, password: str = PASSWORD) -> imaplib.IMAP4_SSL:
        port = self.organization.port(993)
        connection = imaplib.IMAP4_SSL(HOST, port, ssl_context=trusting(self.organization), timeout=SECONDS)
        connection.login(self.address, password)
        return connection

    def put(self, *contents: bytes) -> None:
        with self.imap() as imap:
            for content in contents:
                assert imap.append("INBOX", None, None, content)[0] == "OK"

    def dav(self) -> httpx.Client:
        """A client of CalDAV and CardDAV that knows nothing of its own."""
        url = f"https://{HOST}:{self.organization.port(443)}"
        return httpx.Client(base_url=url, auth=(self.address, PASSWORD), verify=trusting(self.organization))

    def contents(self) -> dict[bytes, set[str]]:
        """INBOX's messages with their flags; nothing becomes seen by it."""
        with self.imap() as imap:
            imap.select("INBOX", readonly=True)
            _, data = imap.fetch("1:*", "(FLAGS BODY.PEEK[])")
            parts = [part for part in data if isinstance(part, tuple)]
            return {body: {flag.decode() for flag in imaplib.ParseFlags(head)} for head, body in parts}

    def arrived(self, subject: str) -> bytes:
        """The message with this subject, waited for: delivery is the queue's, and takes its moment."""
        with self.imap() as imap:
            deadline = time.monotonic() + SECONDS
            imap.select("INBOX", readonly=True)
            while True:
                _, (found,) = imap.uid("SEARCH", "SUBJECT", f'"{subject}"')
                if found:
                    _, data = imap.uid("FETCH", found.split()[-1].decode(), "(BODY.PEEK[])")
                    return bytes(data[0][1])
                assert time.monotonic() < deadline, f"{subject!r} did not arrive"
                _wait_for_news(imap, deadline)

    def send(self, content: bytes, *recipients: str) -> None:
        with smtplib.SMTP(HOST, self.organization.port(587), timeout=SECONDS) as smtp:
            smtp.starttls(context=trusting(self.organization))
            smtp.login(self.address, PASSWORD)
            smtp.sendmail(self.address, recipients, content)


def _wait_for_news(imap: imaplib.IMAP4_SSL, deadline: float) -> None:
    """IDLE until the server says that a message came (RFC 2177); imaplib has no words for it."""
    tag = imap._new_tag()
    imap.send(tag + b" IDLE\r\n")
    line = b""
    while not line.endswith(b" EXISTS\r\n"):
        imap.sock.settimeout(max(0.1, deadline - time.monotonic()))
        line = imap.readline()
        assert line.startswith((b"+", b"*")), line
    imap.sock.settimeout(SECONDS)
    imap.send(b"DONE\r\n")
    while not imap.readline().startswith(tag):
        pass


def hrefs(client: httpx.Client, collection: str) -> list[str]:
    """The paths of what is in a collection of DAV, without those of collections."""
    listing = client.request("PROPFIND", collection, headers={"depth": "1"}).text
    return [href for part in listing.split("href>")[1::2] if not (href := part.partition("</")[0]).endswith("/")]


def stored(client: httpx.Client, collection: str) -> dict[str, str]:
    """What is in a collection of DAV, by path."""
    return {href: client.get(href).text for href in hrefs(client, collection)}


def tool(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(
    *words: object,
    data: bytes = b"",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[str]:
    """A program that is no interpreter of ours, with a home of its own; output and errors together, as text."""
    home = {"HOME": str(folder)} if folder is not None else {}
    done = subprocess.run(
        [tool(str(words[0])), *map(str, words[1:])],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8", **home, **(environment or {})},
    )
    text = done.stdout.decode("utf-8", "replace")
    return subprocess.CompletedProcess(done.args, done.returncode, text, "")


def succeeded(*words: object, **more: object) -> str:
    """Runs it, asserts that it ended well, and returns what it said."""
    done = run(*words, **more)
    assert done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stdout}"
    return done.stdout


def private(file: Path, text: str) -> Path:
    """Writes a client's configuration: they refuse one that others may read."""
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file
