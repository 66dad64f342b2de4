"""Foreign clients read mail: imaplib, poplib, curl, and imapclient.livetest beside Dovecot."""

from __future__ import annotations

import imaplib
import poplib
import re
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients import dovecot
from tests.clients.people import HOST, SECONDS, Mailbox, message, private, run, tool, trusting
from tests.organization import PASSWORD
from tests.support.ports import free_port

pytestmark = pytest.mark.slow
MECHANISMS = ["PLAIN", "LOGIN", "NTLM"]
MESSAGES = 4


@pytest.fixture(scope="module")
def reader(mailbox: Callable[[], Mailbox]) -> Mailbox:
    """A mailbox with messages that nobody has read."""
    made = mailbox()
    made.put(*map(message, range(MESSAGES)))
    return made


def curl(reader: Mailbox, url: str, *more: str, mechanism: str = "PLAIN", password: str = PASSWORD):
    return run(
        "curl", "-sS", "--ssl-reqd", "--cacert", reader.organization.authority, "--login-options", f"AUTH={mechanism}",
        "--user", f"{reader.address}:{password}", *more, url,
    )  # fmt: skip


def urls(reader: Mailbox) -> dict[str, str]:
    ports = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
    return {scheme: f"{scheme}://{HOST}:{reader.organization.port(port)}" for scheme, port in ports.items()}


def test_curl_reads_an_unread_message(reader: Mailbox) -> None:
    """curl takes the first answer to FETCH for the message: that it is seen now must come in the same one or later."""
    url = urls(reader)["imaps"]
    for number in range(2):
        done = curl(reader, f"{url}/INBOX;MAILINDEX={number + 1}")
        assert done.returncode == 0 and done.stdout.encode() == message(number), done.stdout
    flags = reader.contents()
    assert "\\Seen" in flags[message(0)] and "\\Seen" not in flags[message(3)]


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("scheme", ["imap", "imaps", "pop3", "pop3s"])
def test_curl(reader: Mailbox, scheme: str, mechanism: str) -> None:
    place = "/INBOX;MAILINDEX=2" if scheme.startswith("imap") else "/2"
    done = curl(reader, urls(reader)[scheme] + place, mechanism=mechanism)
    assert done.returncode == 0 and "Subject: message 1\r\n" in done.stdout, done.stdout


@pytest.mark.parametrize("scheme", ["imaps", "pop3s"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "NTLM"])
def test_curl_with_a_wrong_password(reader: Mailbox, scheme: str, mechanism: str) -> None:
    done = curl(reader, urls(reader)[scheme], mechanism=mechanism, password="wrong")
    assert done.returncode == 67, done.stdout


def test_curl_searches_and_appends(mailbox: Callable[[], Mailbox], tmp_path: Path) -> None:
    own = mailbox()
    url = urls(own)["imaps"]
    (tmp_path / "mail").write_bytes(message(7))
    assert curl(own, f"{url}/INBOX", "-T", str(tmp_path / "mail")).returncode == 0
    assert curl(own, f"{url}/INBOX?SUBJECT%20%22message%207%22").stdout.split() == ["*", "SEARCH", "1"]
    assert set(own.contents()) == {message(7)}


def test_imaplib(mailbox: Callable[[], Mailbox]) -> None:
    own = mailbox()
    with imaplib.IMAP4(HOST, own.organization.port(143), timeout=SECONDS) as imap:
        assert "LOGINDISABLED" in imap.capabilities and not [c for c in imap.capabilities if c.startswith("AUTH=")]
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            imap.login(own.address, PASSWORD)
        imap.starttls(trusting(own.organization))
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            imap.login(own.address, "wrong")
        imap.login(own.address, PASSWORD)
        assert imap.append("INBOX", "\\Flagged", None, message(1))[0] == "OK"
        assert imap.create('"&yVjQQA-"')[0] == "OK"
        assert imap.select() == ("OK", [b"1"])
        assert imap.copy("1", '"&yVjQQA-"')[0] == "OK"
        assert imap.store("1", "+FLAGS", "(\\Deleted $Forwarded)")[0] == "OK"
        assert imap.expunge() == ("OK", [b"1"])
        assert imap.select('"&yVjQQA-"') == ("OK", [b"1"])
        assert imap.fetch("1", "(FLAGS)")[1][0].startswith(b"1 (FLAGS (\\Flagged")
        assert imap.close()[0] == "OK"


def test_poplib(mailbox: Callable[[], Mailbox]) -> None:
    own = mailbox()
    own.put(*map(message, range(3)))
    pop = poplib.POP3(HOST, own.organization.port(110), timeout=SECONDS)
    with pytest.raises(poplib.error_proto):
        pop.user(own.address)
    pop.stls(trusting(own.organization))
    pop.user(own.address)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        pop.pass_("wrong")
    pop.user(own.address)
    pop.pass_(PASSWORD)
    assert pop.stat()[0] == 3
    assert b"".join(line + b"\r\n" for line in pop.retr(2)[1]) == message(1)
    pop.dele(1)
    pop.quit()
    assert set(own.contents()) == {message(1), message(2)}
    secure = poplib.POP3_SSL(HOST, own.organization.port(995), timeout=SECONDS, context=trusting(own.organization))
    secure.user(own.address)
    secure.pass_(PASSWORD)
    assert len(secure.uidl()[1]) == 2
    secure.quit()


TIMING = {"test_small_connection_timeout_fail", "test_small_read_timeout_fail"}
"""They want a server that answers no sooner than after a millisecond."""
BROKEN = {"test_getacl"}
"""It takes its own settings for a mapping, and fails with every server that has ACL; `test_sharing` does what it means to do."""


@dataclass(frozen=True)
class Outcome:
    """What imapclient.livetest says: how many tests ran, which failed (the ones of messages run twice, by number and by
    UID), and why which were skipped."""

    ran: int
    failed: Counter[str]
    skipped: Counter[str]


def livetest(folder: Path, port: int, user: str, authority: Path) -> Outcome:
    ini = private(
        folder / f"{port}.ini",
        f"[DEFAULT]\nhost = {HOST}\nport = {port}\nssl = true\nssl_ca_file = {authority}\nusername = {user}\n"
        f"password = {PASSWORD}\n",
    )
    said = run(sys.executable, "-m", "imapclient.livetest", ini, "-v", seconds=120).stdout
    ran = re.search(r"^Ran (\d+) tests", said, re.MULTILINE)
    assert ran is not None, said
    failed = Counter(re.findall(r"^(?:FAIL|ERROR): (\w+)", said, re.MULTILINE))
    return Outcome(int(ran[1]), failed, Counter(re.findall(r"skipped [\"'](.*)[\"']$", said, re.MULTILINE)))


def test_imapclient_livetest_beside_dovecot(mailbox: Callable[[], Mailbox], tmp_path: Path) -> None:
    """Nothing fails that Dovecot passes, nothing is skipped that Dovecot runs."""
    tool("dovecot")
    own = mailbox()
    certificates = own.organization.authority.parent
    with (
        dovecot.running(certificates / "server.pem", certificates / "server.key", free_port()) as theirs_at,
        ThreadPoolExecutor() as pool,
    ):
        dovecots = pool.submit(livetest, tmp_path, theirs_at, dovecot.USER, own.organization.authority)
        ours = livetest(tmp_path, own.organization.port(993), own.address, own.organization.authority)
    theirs = dovecots.result()
    assert ours.ran == theirs.ran > 50
    worse = ours.failed - theirs.failed
    assert not worse.keys() - TIMING - BROKEN
    assert not ours.skipped - theirs.skipped
