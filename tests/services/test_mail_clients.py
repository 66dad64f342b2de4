"""Clients that nobody here wrote read and change mailboxes in PostgreSQL, over TLS and with a password.

covers: services.imap.session, services.pop3.session
"""

from __future__ import annotations

import asyncio
import imaplib
import os
import poplib
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from postern.model.items import Column, NewItem
from postern.model.mailbox_server import Mailboxes
from postern.services.imap.session import ImapSession
from postern.services.pop3.session import Pop3Session
from postern.store.database import MailboxDatabase
from tests.services.client_doors import PASSWORD, Doors

pytestmark = pytest.mark.slow
TIMEOUT = 150.0
MESSAGES = 5
BASELINE = {
    "test_fetch",
    "test_getacl",
    "test_move",
    "test_small_connection_timeout_fail",
    "test_small_read_timeout_fail",
}
"""Tests of imapclient.livetest that fail against Dovecot 2.3 too: they ask for what IMAP does not promise. test_getacl fails
against every server with ACL, by an error of its own (it indexes its configuration)."""


def message(number: int) -> bytes:
    return (
        f"From: sender@example.test\r\nTo: alice@example.test\r\nSubject: message {number}\r\n"
        f"Date: Mon, 23 Nov 2026 12:00:0{number} +0000\r\nMessage-ID: <{number}@example.test>\r\n\r\n"
        f".body {number}\r\n..\r\n안녕\r\n"
    ).encode()


class Client:
    """One user with five messages, the ports of the doors, and a folder for the client's files."""

    def __init__(self, doors: Doors, user: str, folder: Path) -> None:
        self.doors = doors
        self.user = user
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(doors.authority.cert_pem.bytes())

    async def run(self, *command: str, home: Path | None = None, status: tuple[int, ...] = (0,)) -> str:
        environment = {**os.environ, "HOME": str(home or self.folder), "LC_ALL": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=self.folder,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode("utf-8", "replace")
        assert process.returncode in status, text
        return text

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        return file

    async def stored(self) -> dict[bytes, int]:
        """INBOX's messages: content to flags."""
        mailboxes, guid = self.doors.mailboxes, self.doors.directory.mail[self.user].guid
        items = await mailboxes.fetch(
            guid, await inbox(mailboxes, guid), [(1, 2**32 - 1)], Column.CONTENT | Column.FLAGS
        )
        return dict(zip(map(bytes, items.contents), items.flags, strict=True))


async def inbox(mailboxes: Mailboxes, guid):
    await mailboxes.logon(guid)
    return next(f.id for f in await mailboxes.folders(guid) if f.path == ("INBOX",))


@pytest.fixture
def client(postgres_dsn: str, tmp_path: Path, request: pytest.FixtureRequest):
    """A way to open doors for one user of this test's own."""
    user = re.sub(r"\W", "", request.node.name)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        database = await MailboxDatabase.open(postgres_dsn)
        doors = Doors(database, names=[user])
        await doors.open("imap4", ImapSession)
        await doors.open("pop3", Pop3Session)
        guid = doors.directory.mail[f"{user}@example.test".lower()].guid
        folder = await inbox(database, guid)
        await database.append(guid, folder, [NewItem(message(n)) for n in range(MESSAGES)])
        try:
            async with asyncio.timeout(TIMEOUT):
                yield Client(doors, f"{user}@example.test".lower(), tmp_path)
        finally:
            await doors.close()
            await database.close()

    return opened


def needs(program: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def test_imaplib(client) -> None:
    def talk(given: Client) -> None:
        with imaplib.IMAP4("localhost", given.doors.ports[143], timeout=20) as imap:
            imap.starttls(given.doors.client_tls())
            imap.login(given.user, PASSWORD)
            assert imap.select() == ("OK", [b"5"])
            assert imap.search(None, "SUBJECT", '"message 3"') == ("OK", [b"4"])
            _, data = imap.fetch("1:*", "(UID BODY[])")
            assert [part[1] for part in data[::2]] == [message(n) for n in range(MESSAGES)]
            assert imap.store("2", "+FLAGS", "(\\Deleted)")[0] == "OK"
            assert imap.expunge() == ("OK", [b"2"])
            assert imap.append("INBOX", "\\Flagged", None, message(9))[0] == "OK"
            assert imap.noop()[0] == "OK"
            assert imap.sort("REVERSE DATE", "UTF-8", "ALL") == ("OK", [b"5 4 3 2 1"])

    async def run() -> None:
        async with client() as given:
            await asyncio.to_thread(talk, given)

    asyncio.run(run())


def test_poplib(client) -> None:
    def talk(given: Client) -> None:
        pop = poplib.POP3("localhost", given.doors.ports[110], timeout=20)
        pop.stls(given.doors.client_tls())
        assert "TOP" in pop.capa()
        pop.user(given.user)
        pop.pass_(PASSWORD)
        assert pop.stat()[0] == MESSAGES and len(pop.uidl()[1]) == MESSAGES
        for number in range(MESSAGES):
            _, lines, _ = pop.retr(number + 1)
            assert b"".join(line + b"\r\n" for line in lines) == message(number)
        assert pop.top(1, 1)[1][-1] == b".body 0"
        pop.dele(1)
        pop.quit()

    async def run() -> None:
        async with client() as given:
            await asyncio.to_thread(talk, given)
            assert set(await given.stored()) == {message(n) for n in range(1, MESSAGES)}

    asyncio.run(run())


@needs("curl")
def test_curl(client) -> None:
    async def run() -> None:
        async with client() as given:
            common = ("curl", "-sS", "--ssl-reqd", "--cacert", str(given.ca), "-u", f"{given.user}:{PASSWORD}")
            imap = f"imap://localhost:{given.doors.ports[143]}"
            listed = await given.run(*common, f"{imap}/")
            assert '"INBOX"' in listed
            assert (await given.run(*common, f"{imap}/INBOX;MAILINDEX=1")).encode() == message(0)
            file = given.folder / "mail"
            file.write_bytes(message(7))
            await given.run(*common, "-T", str(file), f"{imap}/INBOX")
            assert message(7) in await given.stored()
            pop = f"pop3s://localhost:{given.doors.ports[995]}"
            assert (await given.run(*common, f"{pop}/6")).encode() == message(7)

    asyncio.run(run())


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@needs("fetchmail")
def test_fetchmail(client, protocol: str) -> None:
    async def run() -> None:
        async with client() as given:
            target = given.folder / "mbox"
            port = given.doors.ports[143 if protocol == "imap" else 110]
            rc = given.write(
                "rc",
                f'poll localhost protocol {protocol} port {port} user "{given.user}" password "{PASSWORD}"\n'
                f'  sslproto "TLS1.2+" sslcertck sslcertfile "{given.ca}" mda "cat >> {target}"\n',
            )
            await given.run("fetchmail", "-f", str(rc), "--fetchall", "--keep", "--nosyslog", "--pidfile", "pid")
            assert target.read_text().count("Subject: message") == MESSAGES

    asyncio.run(run())


@needs("mpop")
def test_mpop(client) -> None:
    async def run() -> None:
        async with client() as given:
            rc = given.write(
                "rc",
                f"account default\nhost localhost\nport {given.doors.ports[110]}\nuser {given.user}\n"
                f'password "{PASSWORD}"\ntls on\ntls_starttls on\ntls_trust_file {given.ca}\nkeep off\n'
                f"delivery mbox {given.folder}/mbox\nuidls_file {given.folder}/uidls\n",
            )
            await given.run("mpop", f"--file={rc}")
            assert (given.folder / "mbox").read_text().count("Subject: message") == MESSAGES
            assert await given.stored() == {}

    asyncio.run(run())


def maildir_bodies(folder: Path) -> set[bytes]:
    files = [file for part in ("cur", "new") for file in (folder / part).iterdir()]
    return {file.read_bytes().partition(b"\n\n")[2] for file in files}


def body_of(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")


def body(number: int) -> bytes:
    return body_of(message(number))


@needs("mbsync")
def test_mbsync_both_ways(client) -> None:
    async def run() -> None:
        async with client() as given:
            mail = given.folder / "mail"
            mail.mkdir()
            rc = given.write(
                "rc",
                f"IMAPAccount a\nHost localhost\nPort {given.doors.ports[143]}\nUser {given.user}\n"
                f'Pass "{PASSWORD}"\nSSLType STARTTLS\nCertificateFile {given.ca}\n\n'
                f"IMAPStore remote\nAccount a\n\nMaildirStore local\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n"
                "Channel c\nFar :remote:\nNear :local:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
            )
            await given.run("mbsync", "-c", str(rc), "-a")
            assert maildir_bodies(mail / "INBOX") == {body(n) for n in range(MESSAGES)}
            (mail / "INBOX" / "new" / "1.x.y").write_bytes(message(8).replace(b"\r\n", b"\n"))
            seen = next(file for file in (mail / "INBOX" / "new").iterdir() if body(2) in file.read_bytes())
            seen.rename(mail / "INBOX" / "cur" / (seen.name.partition(":")[0] + ":2,FS"))
            await given.run("mbsync", "-c", str(rc), "-a")
            stored = {
                content.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"): f
                for content, f in (await given.stored()).items()
            }
            assert set(stored) == {*(body(n) for n in range(MESSAGES)), body(8)}
            assert stored[body(2)] & 5 == 5 and not stored[body(1)] & 5

    asyncio.run(run())


@needs("offlineimap")
def test_offlineimap_both_ways(client) -> None:
    """On 993: with STARTTLS its reader thread may read the clear socket while its writer speaks TLS, and both wait."""

    async def run() -> None:
        async with client() as given:
            mail = given.folder / "mail"
            rc = given.write(
                "rc",
                f"[general]\naccounts = a\nui = basic\nmetadata = {given.folder}/meta\n"
                "[Account a]\nlocalrepository = l\nremoterepository = r\n"
                f"[Repository l]\ntype = Maildir\nlocalfolders = {mail}\n"
                f"[Repository r]\ntype = IMAP\nremotehost = localhost\nremoteport = {given.doors.ports[993]}\n"
                f"remoteuser = {given.user}\nremotepass = {PASSWORD}\nssl = yes\n"
                f"sslcacertfile = {given.ca}\n",
            )
            await given.run("offlineimap", "-o", "-1", "-c", str(rc))
            assert maildir_bodies(mail / "INBOX") == {body(n) for n in range(MESSAGES)}
            (mail / "INBOX" / "cur" / "1.x.y:2,S").write_bytes(message(8).replace(b"\r\n", b"\n"))
            await given.run("offlineimap", "-o", "-1", "-c", str(rc))
            stored = {
                content.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"): f
                for content, f in (await given.stored()).items()
            }
            assert set(stored) == {*(body(n) for n in range(MESSAGES)), body(8)} and stored[body(8)] & 1

    asyncio.run(run())


def test_imapclient_livetest(client) -> None:
    """Nothing fails that Dovecot 2.3 passes, nothing is skipped that it runs (6 tests: Gmail, XLIST, and one by design)."""

    async def run() -> None:
        async with client() as given:
            ini = given.write(
                "x.ini",
                f"[DEFAULT]\nhost = localhost\nport = {given.doors.ports[993]}\nssl = true\nssl_ca_file = {given.ca}\n"
                f"username = {given.user}\npassword = {PASSWORD}\n",
            )
            output = await given.run(sys.executable, "-m", "imapclient.livetest", str(ini), "-v", status=(0, 1))
            failed = set(re.findall(r"^(?:FAIL|ERROR): (\w+)", output, re.MULTILINE))
            assert failed <= BASELINE, output
            assert re.search(r"^Ran 59 tests", output, re.MULTILINE), output
            skipped = re.findall(r"skipped [\"'](.*)[\"']", output)
            assert len(skipped) == 6 and all(re.search("XLIST|labels|Gmail|UID operations", why) for why in skipped)

    asyncio.run(run())
