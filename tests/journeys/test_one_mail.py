"""One mail at a time through a whole organization, by clients that nobody here wrote: in, out, back, late, and not at all.

covers: metrics, internet-to-hub, client-to-hub-smtp, hub-to-internet, hub-to-mailbox-mapi, imap4, pop3
"""

from __future__ import annotations

import imaplib
import json
import os
import poplib
import signal
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import organization
from tests.journeys.remote import Remote
from tests.journeys.traveller import Traveller, from_a_stranger, new_id, steps, submitted, until
from tests.organization import PASSWORD, Organization
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
SECONDS = 10.0
"""Within which the running roles know what an administrator changed."""


@pytest.fixture(scope="module")
def remote_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def here(remote_port: int) -> Iterator[Organization]:
    """alice and bob; mail for others leaves to a smart host on the loopback. Metrics are switched on."""
    changes = {"smart-hosts = []": f'smart-hosts = ["127.0.0.1:{remote_port}"]', "# metrics = false": "metrics = true"}
    made = organization.start(configuration=changes)
    try:
        for name in ("alice", "bob"):
            made.add_user(name)
        yield made
    finally:
        organization.remove(made)


@pytest.fixture
def remote(remote_port: int) -> Iterator[Remote]:
    server = Remote("127.0.0.1", remote_port)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(here: Organization) -> Traveller:
    return Traveller(here)


def answer(here: Organization, recipient: str) -> int:
    """What a stranger hears at RCPT."""
    with smtplib.SMTP("127.0.0.1", here.port(25), timeout=20) as smtp:
        smtp.ehlo()
        smtp.mail("stranger@elsewhere.test")
        return smtp.rcpt(recipient)[0]


def test_a_strangers_mail_is_read_by_imap_and_pop3(client: Traveller) -> None:
    from_a_stranger(client, "alice@example.test")


def test_a_submission_reaches_a_mailbox_and_the_internet(client: Traveller, remote: Remote) -> None:
    submitted(client, "alice@example.test", "bob@example.test", remote)


def test_a_refusal_elsewhere_comes_back_as_a_report(client: Traveller, remote: Remote) -> None:
    message_id = new_id()
    done = client.send(
        "bob@example.test", "nobody@elsewhere.test", message_id, port=465, login="bob@example.test", secure="--tlsc"
    )
    assert done.returncode == 0, done.stdout
    report = until(lambda: client.found_by_imap("bob@example.test", "We know nobody of that name"), "the report")
    assert "multipart/report" in report
    assert "Action: failed" in report
    assert "Final-Recipient: rfc822; nobody@elsewhere.test" in report
    assert message_id in report
    trace = steps(client.organization, message_id, "dsn")
    assert trace["fail"]["path"] == "hub-to-internet"
    assert "5.1.1" in trace["fail"]["outcome"]


def test_mail_waits_for_a_remote_server_and_leaves_when_told(
    client: Traveller, here: Organization, remote_port: int
) -> None:
    message_id = new_id()
    done = client.send("alice@example.test", "late@elsewhere.test", message_id, port=587, login="alice@example.test")
    assert done.returncode == 0, done.stdout

    def waiting() -> list[dict]:
        listed = json.loads(here.command("queue", "list", "--json").stdout)
        return [m for m in listed if m["message_id"] == message_id and m["recipients"][0]["error"]]

    (message,) = until(waiting, "the message in the queue")
    (recipient,) = message["recipients"]
    assert recipient["state"] == "pending"
    assert recipient["status"].startswith("4.4.")
    assert recipient["hop"] == f"smart-host:127.0.0.1:{remote_port}"
    assert "late@elsewhere.test" in here.command("queue", "list").stdout
    remote = Remote("127.0.0.1", remote_port)
    try:
        here.command("queue", "retry", message["queue_id"])
        assert until(lambda: remote.has(message_id), "the message elsewhere")
        until(lambda: not waiting(), "the end of waiting")
    finally:
        remote.stop()


def test_a_disabled_user_is_refused_at_once(client: Traveller, here: Organization) -> None:
    carol = here.add_user("carol")
    assert client.logon(carol)
    assert client.send(carol, "bob@example.test", new_id(), port=587, login=carol).returncode == 0
    here.command("user", "disable", "carol")
    assert not client.logon(carol)
    refused = client.send(carol, "bob@example.test", new_id(), port=587, login=carol)
    assert "535 5.7.8" in refused.stdout
    here.command("user", "enable", "carol")
    assert client.logon(carol)


def test_a_quota_counts_while_its_owner_is_logged_on_nowhere_and_in_an_open_session(
    client: Traveller, here: Organization
) -> None:
    """`postern user quota` by the private directory and PostgreSQL: 452 at RCPT and DATA, one report for what was
    taken for another's sake, OVERQUOTA."""
    dora = here.add_user("dora")
    body = "x" * 20_000

    def at_rcpt(size: int) -> int:
        with smtplib.SMTP("127.0.0.1", here.port(25), timeout=20) as smtp:
            smtp.ehlo()
            smtp.mail("stranger@elsewhere.test", [f"SIZE={size}"])
            return smtp.rcpt(dora)[0]

    def append(imap: imaplib.IMAP4_SSL) -> tuple[str, bytes]:
        kind, words = imap.append("Drafts", "", "", f"Subject: draft\r\n\r\n{body}".encode())
        return kind, words[0]

    assert at_rcpt(20_000) == 250
    here.command("user", "quota", "dora", "8K")
    until(lambda: {at_rcpt(20_000) for _ in range(20)} == {452}, "452 for what does not fit, of all workers", SECONDS)
    assert at_rcpt(1_000) == 250
    message_id = new_id()
    with smtplib.SMTP("127.0.0.1", here.port(587), timeout=20) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=here.authority))
        smtp.login("alice@example.test", PASSWORD)
        smtp.esmtp_features.pop("size")  # says nothing of its size
        content = f"Message-Id: {message_id}\r\nSubject: large\r\n\r\n{body}\r\n"
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.sendmail("alice@example.test", [dora], content)
        assert refused.value.smtp_code == 452
        smtp.sendmail("alice@example.test", [dora, "alice@example.test"], content)
    assert "5.2.2" in steps(here, message_id, "fail")["fail"]["outcome"]
    report = until(lambda: client.found_by_imap("alice@example.test", "Status: 5.2.2"), "the report")
    assert message_id in report
    assert len(client.search_by_imap("alice@example.test", "Status: 5.2.2")) == 1

    context = ssl.create_default_context(cafile=here.authority)
    with imaplib.IMAP4_SSL("127.0.0.1", here.port(993), ssl_context=context) as imap:
        imap.login(dora, PASSWORD)
        kind, words = append(imap)
        assert (kind, words[:11]) == ("NO", b"[OVERQUOTA]")
        here.command("user", "quota", "dora", "1M")
        until(lambda: imap.getquota('""')[1] == [b'"" (STORAGE 0 1024)'], "the new quota in the open session", SECONDS)
        assert append(imap)[0] == "OK"
        here.command("user", "quota", "dora", "8K")
        until(lambda: imap.getquota('""')[1] == [b'"" (STORAGE 20 8)'], "the newest quota in the open session", SECONDS)
        kind, words = append(imap)
        assert (kind, words[:11]) == ("NO", b"[OVERQUOTA]")


class Sessions:
    """One user's open sessions, in each protocol."""

    def __init__(self, here: Organization, user: str) -> None:
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        host, patience = "127.0.0.1", 60.0
        self.imap = imaplib.IMAP4_SSL(host, here.port(993), ssl_context=trust, timeout=patience)
        self.pop3 = poplib.POP3_SSL(host, here.port(995), context=trust, timeout=patience)
        self.smtp = smtplib.SMTP_SSL(host, here.port(465), context=trust, timeout=patience)
        self.imap.login(user, PASSWORD)
        self.pop3.user(user)
        self.pop3.pass_(PASSWORD)
        self.smtp.login(user, PASSWORD)

    def last_words(self) -> tuple[bytes, bytes, int]:
        """Waits for what the server says by itself, and for its end."""
        said = self.imap.readline(), self.pop3.file.readline(), self.smtp.getreply()[0]
        assert (self.imap.readline(), self.pop3.file.readline(), self.smtp.file.readline()) == (b"", b"", b"")
        return said

    def alive(self) -> bool:
        return (self.imap.noop()[0], self.pop3.noop()[:3], self.smtp.noop()[0]) == ("OK", b"+OK", 250)


def test_open_sessions_end_with_the_right_to_them(here: Organization) -> None:
    """By the administrator's commands, through directory and workers: without the user's doing anything."""
    users = [here.add_user(name) for name in ("dave", "erin", "frank")]
    dave, erin, frank = (Sessions(here, user) for user in users)
    here.command("user", "disable", "dave")
    here.command("user", "passwd", "erin", "--password-stdin", given="another horse\n")
    for one in (dave, erin):
        imap, pop3, smtp = one.last_words()
        assert imap.startswith(b"* BYE ") and pop3.startswith(b"-ERR ") and smtp == 421
    assert frank.alive()


def test_the_directorys_commands_are_seen_by_the_running_roles(client: Traveller, here: Organization) -> None:
    info, team = "info@second.test", "team@example.test"
    assert answer(here, info) == 550
    assert answer(here, team) == 550
    here.command("domain", "add", "second.test")
    here.command("alias", "add", "alice", info)
    here.command("group", "add", team, "--member", "alice", "--member", "bob")
    until(lambda: answer(here, info) == 250, "the alias and its domain", SECONDS)
    until(lambda: answer(here, team) == 250, "the group", SECONDS)
    to_alias, to_group = new_id(), new_id()
    assert client.send("stranger@elsewhere.test", info, to_alias).returncode == 0
    assert client.send("stranger@elsewhere.test", team, to_group).returncode == 0
    until(lambda: client.found_by_imap("alice@example.test", to_alias), "the alias' mail")
    for member in ("alice@example.test", "bob@example.test"):
        until(lambda member=member: client.found_by_imap(member, to_group), "the group's mail")
    here.command("alias", "remove", info)
    here.command("group", "remove", "--yes", team)
    here.command("domain", "remove", "second.test")
    until(lambda: answer(here, info) == 550, "the alias' end", SECONDS)
    until(lambda: answer(here, team) == 550, "the group's end", SECONDS)


def metrics(here: Organization) -> dict[tuple[str, ...], float]:
    """The values of all processes, added up, by name and the values of path, outcome, step and part."""
    with urllib.request.urlopen(f"http://127.0.0.1:{here.port(9464)}/metrics", timeout=20) as response:
        families = list(text_string_to_metric_families(response.read().decode()))
    sums: dict[tuple[str, ...], float] = {}
    for sample in (sample for family in families for sample in family.samples):
        labels = (sample.labels.get(name, "") for name in ("path", "outcome", "step", "part"))
        key = (sample.name, *filter(None, labels))
        sums[key] = sums.get(key, 0.0) + sample.value
    return sums


def health(here: Organization) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{here.port(9464)}/healthz", timeout=20) as response:
            return response.status, json.load(response)["parts"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["parts"]


def test_what_happens_is_counted_and_told(client: Traveller, here: Organization) -> None:
    before = metrics(here)
    from_a_stranger(client, "alice@example.test")

    def counted() -> bool:
        now = metrics(here)
        return all(
            now.get(key, 0.0) > before.get(key, 0.0)
            for key in (
                ("postern_messages_total", "internet-to-hub", "receive"),
                ("postern_messages_total", "hub-to-mailbox-mapi", "deliver"),
                ("postern_message_octets_count", "internet-to-hub"),
                ("postern_logons_total", "imap4", "granted"),
                ("postern_rpc_seconds_count", "cas-to-mailbox", "reply"),
            )
        )

    until(counted, "the message's steps among the metrics", SECONDS)
    now = metrics(here)
    assert now["postern_database_octets",] > 1_000_000 and now["postern_queue_oldest_seconds",] == 0.0
    assert here.verify("--path", "metrics")["metrics"]["verdict"] == "pass"


def test_health_notices_a_part_that_is_gone_and_its_return(here: Organization) -> None:
    status, parts = health(here)
    assert status == 200 and set(parts.values()) == {"up"}
    assert {"hub.0", "mailbox.0", "client-access.0", "metrics.0", "postgresql", "slapd"} <= parts.keys()
    (worker, *_) = here.workers("mailbox")
    os.kill(worker, signal.SIGKILL)
    until(lambda: health(here)[0] == 503, "a worker's end", SECONDS)
    until(lambda: health(here)[0] == 200, "its successor", SECONDS)
