"""Foreign clients that keep a copy: mbsync and offlineimap in both directions, fetchmail and mpop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.people import HOST, Mailbox, body_of, message, private, succeeded
from tests.organization import PASSWORD

pytestmark = pytest.mark.slow
MESSAGES = 4


def file_with(folder: Path, number: int) -> Path:
    """The file of a maildir that holds this message."""
    return next(f for f in files(folder) if body_of(f.read_bytes()) == body_of(message(number)))


def files(folder: Path) -> list[Path]:
    return [file for part in ("cur", "new") for file in (folder / part).iterdir()]


def numbers(bodies: set[bytes]) -> set[int]:
    return {number for number in range(60) if body_of(message(number)) in bodies}


def change_both_sides(own: Mailbox, mail: Path) -> None:
    """After a first synchronisation of four messages: one comes, one gets a flag, one goes, on each side; and here a folder
    with one message is new."""
    assert numbers({body_of(f.read_bytes()) for f in files(mail / "INBOX")}) == set(range(MESSAGES))
    (mail / "INBOX" / "cur" / "1.x.y:2,S").write_bytes(message(40).replace(b"\r\n", b"\n"))
    marked = file_with(mail / "INBOX", 1)
    marked.rename(mail / "INBOX" / "cur" / (marked.name.partition(":")[0] + ":2,FS"))
    file_with(mail / "INBOX", 0).unlink()
    for part in ("cur", "new", "tmp"):
        (mail / "work" / part).mkdir(parents=True)
    (mail / "work" / "cur" / "2.x.y:2,S").write_bytes(message(41).replace(b"\r\n", b"\n"))
    with own.imap() as imap:
        imap.append("INBOX", None, None, message(50))
        imap.select("INBOX")
        imap.store("3", "+FLAGS", "(\\Answered)")
        imap.store("4", "+FLAGS", "(\\Deleted)")
        imap.expunge()


def assert_alike(own: Mailbox, mail: Path) -> None:
    remote = {body_of(content): flags for content, flags in own.contents().items()}
    local = {body_of(f.read_bytes()): f.name for f in files(mail / "INBOX")}
    assert numbers(set(remote)) == numbers(set(local)) == {1, 2, 40, 50}
    assert remote[body_of(message(1))] >= {"\\Flagged", "\\Seen"} and "\\Seen" in remote[body_of(message(40))]
    assert "R" in local[body_of(message(2))].partition(":2,")[2]
    with own.imap() as imap:
        assert imap.select("work", readonly=True) == ("OK", [b"1"])


def test_mbsync_both_ways(mailbox: Callable[[], Mailbox], tmp_path: Path) -> None:
    own, mail = mailbox(), tmp_path / "mail"
    own.put(*map(message, range(MESSAGES)))
    mail.mkdir()
    rc = private(
        tmp_path / "rc",
        f"IMAPAccount a\nHost {HOST}\nPort {own.organization.port(993)}\nUser {own.address}\n"
        f'Pass "{PASSWORD}"\nSSLType IMAPS\nCertificateFile {own.organization.authority}\n\n'
        f"IMAPStore remote\nAccount a\n\nMaildirStore local\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n"
        "Channel c\nFar :remote:\nNear :local:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
    )
    succeeded("mbsync", "-c", rc, "-a", folder=tmp_path)
    change_both_sides(own, mail)
    succeeded("mbsync", "-c", rc, "-a", folder=tmp_path)
    assert_alike(own, mail)


def test_offlineimap_both_ways(mailbox: Callable[[], Mailbox], tmp_path: Path) -> None:
    # On 993: with STARTTLS its reader thread may read the clear socket while its writer speaks TLS, and both wait.
    own, mail = mailbox(), tmp_path / "mail"
    own.put(*map(message, range(MESSAGES)))
    rc = private(
        tmp_path / "rc",
        f"[general]\naccounts = a\nui = basic\nmetadata = {tmp_path}/meta\n"
        "[Account a]\nlocalrepository = l\nremoterepository = r\n"
        f"[Repository l]\ntype = Maildir\nlocalfolders = {mail}\n"
        f"[Repository r]\ntype = IMAP\nremotehost = {HOST}\nremoteport = {own.organization.port(993)}\n"
        f"remoteuser = {own.address}\nremotepass = {PASSWORD}\nssl = yes\n"
        f"sslcacertfile = {own.organization.authority}\n",
    )
    succeeded("offlineimap", "-o", "-1", "-c", rc, folder=tmp_path)
    change_both_sides(own, mail)
    succeeded("offlineimap", "-o", "-1", "-c", rc, folder=tmp_path)
    assert_alike(own, mail)


@pytest.mark.parametrize(
    ("protocol", "port", "tls"),
    [("imap", 143, ""), ("imap", 993, "ssl"), ("pop3", 110, ""), ("pop3", 995, "ssl")],
)
def test_fetchmail(mailbox: Callable[[], Mailbox], tmp_path: Path, protocol: str, port: int, tls: str) -> None:
    """It takes each message once and leaves the mailbox empty."""
    own = mailbox()
    own.put(*map(message, range(MESSAGES)))
    target = tmp_path / "mbox"
    rc = private(
        tmp_path / "rc",
        f"poll {HOST} protocol {protocol} port {own.organization.port(port)} auth password\n"
        f'  user "{own.address}" password "{PASSWORD}"\n'
        f'  {tls} sslproto "TLS1.2+" sslcertck sslcertfile "{own.organization.authority}"\n'
        f'  fetchall mda "cat >> {target}"\n',
    )
    succeeded("fetchmail", "-f", rc, "--nosyslog", "--pidfile", tmp_path / "pid", folder=tmp_path)
    assert target.read_text().count("Subject: message") == MESSAGES
    assert own.contents() == {}


@pytest.mark.parametrize("auth", ["user", "plain", "login", "scram-sha-256"])
def test_mpop(mailbox: Callable[[], Mailbox], tmp_path: Path, auth: str) -> None:
    own = mailbox()
    own.put(*map(message, range(MESSAGES)))
    for again in (MESSAGES, MESSAGES):  # the second run finds nothing new by its list of unique ids
        rc = private(
            tmp_path / "rc",
            f"account default\nhost {HOST}\nport {own.organization.port(995)}\nuser {own.address}\n"
            f'password "{PASSWORD}"\nauth {auth}\ntls on\ntls_starttls off\n'
            f"tls_trust_file {own.organization.authority}\nkeep on\n"
            f"delivery mbox {tmp_path}/mbox\nuidls_file {tmp_path}/uidls\n",
        )
        succeeded("mpop", f"--file={rc}", folder=tmp_path)
        assert (tmp_path / "mbox").read_text().count("Subject: message") == again
