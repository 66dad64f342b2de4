"""Two users of one organization: the folders of the first as foreign mail programs of the second see them."""

from __future__ import annotations

import contextlib
import getpass
import os
import pty
import pwd
import select
import shutil
import signal
import smtplib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.clients.people import HOST, SECONDS, Mailbox, body_of, message, private, succeeded, tool, trusting
from tests.organization import PASSWORD

pytestmark = pytest.mark.slow


def theirs(owner: Mailbox, folder: str = "INBOX") -> str:
    return f"Other Users/{owner.address}/{folder}"


@pytest.fixture
def owner(mailbox: Callable[[], Mailbox]) -> Mailbox:
    """A user with three messages."""
    own = mailbox()
    own.put(*map(message, range(3)))
    return own


@pytest.fixture
def reader(mailbox: Callable[[], Mailbox]) -> Mailbox:
    return mailbox()


def granted(owner: Mailbox, reader: Mailbox, letters: str) -> None:
    with owner.imap() as imap:
        assert imap.setacl("INBOX", reader.address, letters)[0] == "OK"


def test_imaplib_shows_and_changes_rights(owner: Mailbox, reader: Mailbox) -> None:
    granted(owner, reader, "lr")
    with owner.imap() as imap:
        _, data = imap.getacl("INBOX")
        assert data[0].split() == [
            *(b'"INBOX"', owner.address.encode(), b"lriswtekxacd", reader.address.encode(), b"lr")
        ]
    with reader.imap() as imap:
        assert imap.namespace() == ("OK", [b'(("" "/")) (("Other Users/" "/")) NIL'])
        assert imap.myrights(f'"{theirs(owner)}"')[1][0].endswith(b" lr")
        _, names = imap.list('""', '"Other Users/*"')
        assert any(f'"{theirs(owner)}"'.encode() in name for name in names)
        assert imap.select(f'"{theirs(owner)}"', readonly=True) == ("OK", [b"3"])
        assert imap.store("1", "+FLAGS", "\\Seen")[0] == "NO"
        assert imap.copy("1", "Archive")[0] == "OK"
    with owner.imap() as imap:
        assert imap.deleteacl("INBOX", reader.address)[0] == "OK"
    assert _refused(reader, owner).startswith(b"[NONEXISTENT]")


def _refused(reader: Mailbox, owner: Mailbox) -> bytes:
    """Selects the folder until it is refused, and returns the words. The worker that serves the reader may be another than that
    which took the right away, and remembers it for some seconds."""
    deadline = time.monotonic() + SECONDS
    while True:
        with reader.imap() as imap:
            answer, (text,) = imap.select(f'"{theirs(owner)}"', readonly=True)
        if answer == "NO":
            return bytes(text)
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_imapclient_shows_and_changes_rights(owner: Mailbox, reader: Mailbox) -> None:
    with IMAPClient(HOST, owner.organization.port(993), ssl_context=trusting(owner.organization)) as client:
        client.login(owner.address, PASSWORD)
        client.setacl("INBOX", reader.address, "lrsw")
        rights = dict(client.getacl("INBOX"))
        assert rights == {owner.address.encode(): b"lriswtekxacd", reader.address.encode(): b"lrsw"}
        assert client.namespace().other == (("Other Users/", "/"),)


def test_mbsync_both_ways_in_a_shared_folder(owner: Mailbox, reader: Mailbox, tmp_path: Path) -> None:
    granted(owner, reader, "lrswited")
    mail = tmp_path / "mail"
    mail.mkdir()
    rc = private(
        tmp_path / "rc",
        f"IMAPAccount a\nHost {HOST}\nPort {reader.organization.port(993)}\nUser {reader.address}\n"
        f'Pass "{PASSWORD}"\nSSLType IMAPS\nCertificateFile {reader.organization.authority}\n\n'
        f"IMAPStore remote\nAccount a\n\nMaildirStore local\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n"
        f'Channel c\nFar :remote:\nNear :local:\nPatterns "{theirs(owner)}"\nCreate Both\nExpunge Both\nSyncState *\n',
    )
    succeeded("mbsync", "-c", rc, "-a", folder=tmp_path)
    folder = mail / theirs(owner)
    files = [file for part in ("cur", "new") for file in (folder / part).iterdir()]
    bodies = {body_of(file.read_bytes()): file for file in files}
    assert set(bodies) == {body_of(message(number)) for number in range(3)}
    marked = bodies[body_of(message(1))]
    marked.rename(folder / "cur" / (marked.name.partition(":")[0] + ":2,FS"))
    bodies[body_of(message(0))].unlink()
    (folder / "cur" / "1.x.y:2,S").write_bytes(message(40).replace(b"\r\n", b"\n"))
    succeeded("mbsync", "-c", rc, "-a", folder=tmp_path)
    remote = {body_of(content): flags for content, flags in owner.contents().items()}
    assert set(remote) == {body_of(message(number)) for number in (1, 2, 40)}
    assert remote[body_of(message(1))] >= {"\\Flagged", "\\Seen"}


def dovecot(folder: Path, user: Mailbox) -> Path:
    """The configuration of doveadm as a client of IMAP. No server of Dovecot runs. Root's doveadm gives its rights up."""
    owner = pwd.getpwnam("nobody" if os.geteuid() == 0 else getpass.getuser())
    shutil.copyfile(user.organization.authority, folder / "ca.pem")
    configuration = folder / "dovecot.conf"
    configuration.write_text(
        f"""base_dir = {folder}/run
log_path = {folder}/log
mail_home = {folder}/home
mail_location = imapc:{folder}/imapc
imapc_host = 127.0.0.1
imapc_port = {user.organization.port(993)}
imapc_ssl = imaps
imapc_user = {user.address}
imapc_password = {PASSWORD}
imapc_features = rfc822.size fetch-headers
ssl_client_ca_file = {folder}/ca.pem
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
first_valid_uid = 1
first_valid_gid = 1
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
    )
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, owner.pw_uid, owner.pw_gid)
    return configuration


def test_doveadm_reads_a_shared_folder(owner: Mailbox, reader: Mailbox) -> None:
    granted(owner, reader, "lr")
    folder = Path(tempfile.mkdtemp(prefix="doveadm-", dir="/tmp"))  # pytest's own folder is for nobody else
    try:
        doveadm = ["doveadm", "-c", dovecot(folder, reader)]
        more = {"folder": folder, "environment": {"USER": reader.address}}
        assert theirs(owner) in succeeded(*doveadm, "mailbox", "list", **more).splitlines()
        text = succeeded(*doveadm, "fetch", "text", "mailbox", theirs(owner), "all", **more)
        assert all(f".body {number}" in text for number in range(3))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_mutt_reads_a_shared_folder(owner: Mailbox, reader: Mailbox, tmp_path: Path) -> None:
    granted(owner, reader, "lr")
    port = reader.organization.port(993)
    # Its default takes a dot in a name for a delimiter.
    rc = private(
        tmp_path / "muttrc",
        f"""set imap_delim_chars="/"
set imap_user="{reader.address}"
set imap_pass="{PASSWORD}"
set ssl_ca_certificates_file="{reader.organization.authority}"
set certificate_file="{tmp_path}/certificates"
set folder="imaps://{HOST}:{port}/"
set spoolfile="imaps://{HOST}:{port}/{theirs(owner)}"
set mbox_type=mbox confirmappend=no confirmcreate=no quit=yes wait_key=no
push "<tag-pattern>~A<enter><tag-prefix><copy-message>{tmp_path}/copied<enter><quit>"
""",
    )
    shown = in_terminal(["mutt", "-F", str(rc)], tmp_path)
    assert b"-%-Mutt:" in shown, "it says that the folder is read-only"
    copied = (tmp_path / "copied").read_text(encoding="utf-8")
    assert all(f".body {number}" in copied for number in range(3))


def in_terminal(command: list[str], home: Path) -> bytes:
    """Runs a program of the screen to its end. Returns what it wrote there."""
    program = tool(command[0])
    child, screen = pty.fork()
    if not child:
        os.execve(program, command, {**os.environ, "TERM": "xterm", "HOME": str(home), "LC_ALL": "C.UTF-8"})
    shown, deadline = b"", time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            if select.select([screen], [], [], 0.5)[0]:
                try:
                    shown += os.read(screen, 65_536)
                except OSError:  # the program has ended
                    return shown
        raise AssertionError(shown[-2_000:])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(screen)


def test_a_delegate_sends_on_behalf(owner: Mailbox, reader: Mailbox) -> None:
    """As smtplib submits it: From and MAIL FROM are the other's, Sender becomes the user's."""
    content = f"From: {owner.address}\r\nTo: {owner.address}\r\nSubject: for you\r\n\r\nhi\r\n"
    with smtplib.SMTP(HOST, reader.organization.port(587), timeout=SECONDS) as smtp:
        smtp.starttls(context=trusting(reader.organization))
        smtp.login(reader.address, PASSWORD)
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(owner.address, [owner.address], content)
        owner.organization.command("mailbox", "grant", owner.address, reader.address, "--send-on-behalf")
        smtp.rset()
        # The hub remembers a recipient for some seconds.
        deadline = time.monotonic() + SECONDS
        while smtp.mail(owner.address)[0] != 250:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        smtp.rset()
        assert smtp.sendmail(owner.address, [owner.address], content) == {}
    assert f"\r\nSender: <{reader.address}>\r\n".encode() in owner.arrived("for you")
