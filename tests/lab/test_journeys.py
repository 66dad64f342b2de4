"""A mail's journeys through the whole lab, behind all its firewalls: others' programs at both ends, and what each hop tells.

Postfix, swaks, msmtp, mutt, fetchmail and curl are the others; MIT Kerberos gives the tickets, Samba holds the accounts.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from postern.lab.plan import PASSWORD
from tests.lab.live import POSTERN, Lab, eventually, with_namespaces, with_servers
from tests.lab.mutations import account_disabled, rules
from tests.lab.post import Post

pytestmark = [pytest.mark.root, pytest.mark.slow, with_namespaces, with_servers]

AES = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
CURL = "curl -sS --max-time 20 --ssl-reqd"
INBOX = "imaps://cas1.corp.test/INBOX -X 'STATUS INBOX (MESSAGES)'"
LETTER = r"printf 'From: {0}@corp.test\r\nSubject: {1}\r\n\r\nhello\r\n'"


def hops(lab: Lab, host: str, about: str) -> list[tuple[str, str, str]]:
    """Step, path and mechanism of what this host did with that message: it took it, and passed it on. Each step was sealed.

    The message may have arrived before the host that sent it has written down that it did."""

    def both() -> Any:
        said = json.loads(lab.shell(host, "postern", "trace", "--json", about, check=False) or "[]")
        return said if len(said) > 1 else None

    said = eventually(f"{host} has written both steps of {about}", both)
    for one in said:
        assert one["cipher"] in (*AES, "NTLM RC4-128", "Kerberos AES256-SHA1"), one
    return [(one["step"], one["path"], one["mechanism"]) for one in said]


def ticket(lab: Lab, person: str) -> None:
    lab.shell("client1", "sh", "-c", f"echo {PASSWORD} | kinit {person}")


def curls(lab: Lab, person: str, mechanism: str, words: str = INBOX) -> bool:
    """Whether curl gets in; it says 67 if it is refused."""
    secret = "" if mechanism == "GSSAPI" else PASSWORD
    done = lab.command(
        *("shell", "client1", "sh", "-c"),
        f"{CURL} --login-options AUTH={mechanism} --user {person}@corp.test:{secret} {words}",
        check=False,
    )
    assert done.returncode in (0, 67), done.stderr
    return done.returncode == 0


def test_postfix_of_another_organization_to_alice_and_each_hop_tells(lab: Lab) -> None:
    mail = Post(lab)
    mail.send(2)
    mail.all_arrive()
    about = f"<{mail.marker}.0@marked.test>"
    assert hops(lab, "edge1", about) == [
        ("receive", "edge-to-edge", "Anonymous"),
        ("send", "edge-to-hub", "Direct trust"),
    ]
    received, delivered = hops(lab, "hub1", about)
    assert received == ("receive", "edge-to-hub", "Direct trust")
    assert delivered[:2] == ("deliver", "hub-to-mailbox-mapi")
    assert delivered[2] in ("NTLM", "Kerberos")
    postfix = (lab.folder / "logs/internet1-postfix.log").read_text()
    assert "TLS connection established to edge1.corp.test[10.77.2.20]:25: TLSv1.3" in postfix


def test_alice_by_her_ticket_to_another_organization(lab: Lab) -> None:
    ticket(lab, "alice")
    mail = Post(lab, to="erin@other.test")
    name = f"{mail.marker}.0@marked.test"
    letter = f"printf 'Message-ID: <{name}>\\nSubject: to Erin\\n\\nhello\\n'"
    lab.shell("client1", "sh", "-c", f"{letter} | msmtp erin@other.test")
    mail.sent = 1
    mail.all_arrive()
    assert hops(lab, "hub1", f"<{name}>") == [
        ("receive", "client-to-hub-smtp", "Kerberos"),
        ("send", "hub-to-edge", "Direct trust"),
    ]
    assert hops(lab, "edge1", f"<{name}>") == [
        ("receive", "hub-to-edge", "Direct trust"),
        ("send", "edge-to-edge", "Anonymous"),
    ]


def test_hub_to_hub_by_kerberos(lab: Lab) -> None:
    """The branch's hub does not knock at the mailbox of another site: it passes mail to the hub there."""
    mail = Post(lab, via="hub2")
    mail.send(2)
    mail.all_arrive()
    about = f"<{mail.marker}.1@marked.test>"
    assert hops(lab, "hub2", about) == [("receive", "client-to-hub-smtp", "Basic"), ("send", "hub-to-hub", "Kerberos")]
    assert hops(lab, "hub1", about)[0] == ("receive", "hub-to-hub", "Kerberos")
    assert hops(lab, "hub1", about)[1][:2] == ("deliver", "hub-to-mailbox-mapi")


def test_whom_nobody_knows_is_refused_at_the_edge(lab: Lab) -> None:
    swaks = (
        "swaks",
        "--server",
        "edge1.corp.test",
        "-tls",
        "--from",
        "erin@other.test",
        "--quit-after",
        "RCPT",
        "--to",
    )
    refused = lab.command("shell", "internet1", *swaks, "nobody-at-all@corp.test", check=False)
    assert refused.returncode != 0
    assert "550 5.1.1" in refused.stdout
    assert "250 2.1.5" in lab.shell("internet1", *swaks, "alice@corp.test")
    relayed = lab.command("shell", "internet1", *swaks, "erin@other.test", check=False)
    assert relayed.returncode != 0
    assert "550 5.7.1" in relayed.stdout


def test_one_ticket_opens_every_door(lab: Lab) -> None:
    """curl on IMAP4, POP3 and SMTP, msmtp, mutt in both directions, and fetchmail: nobody is told a password."""
    ticket(lab, "alice")
    assert curls(lab, "alice", "GSSAPI")
    assert curls(lab, "alice", "GSSAPI", "pop3s://cas1.corp.test/")
    submit = "smtp://hub1.corp.test:587 --mail-from alice@corp.test --mail-rcpt alice@corp.test -T letter"
    lab.shell("client1", "sh", "-c", f"{LETTER.format('alice', 'by curl')} >letter")
    assert curls(lab, "alice", "GSSAPI", submit)
    lab.shell(
        "client1", "sh", "-c", "echo hello | msmtp alice@corp.test; echo hello | mutt -s 'by mutt' alice@corp.test"
    )
    lab.shell("client1", "rm", "-f", "mail")

    def fetched() -> bool:
        lab.command("shell", "client1", "fetchmail", "-s", "-a", check=False)  # 1: nothing new
        mail = lab.folder / "hosts/client1/home/mail"
        return mail.exists() and all(word in mail.read_text() for word in ("by curl", "by mutt"))

    eventually("fetchmail brings both", fetched)
    keys = lab.folder / "hosts/client1/home/keys"
    keys.write_text('push "<limit>~s mutt<enter><quit>"\n')
    read = "TERM=vt100 timeout 20 script -qec \"mutt -e 'source keys'\" /dev/null"
    said = lab.command("shell", "client1", "sh", "-c", read, check=False).stdout
    assert "by mutt" in said
    seen = json.loads(lab.shell("cas1", "postern", "paths", "observed", "--json"))
    for path in ("imap4", "pop3"):
        assert any((one["path"], one["peer"], one["mechanism"]) == (path, "10.77.3.50", "Kerberos") for one in seen)


def test_the_mail_programs_are_whose_the_ticket_is(lab: Lab) -> None:
    ticket(lab, "bob")
    try:
        lab.shell("client1", "sh", "-c", "rm -f mail; printf 'Subject: by bob\\n\\nhello\\n' | msmtp bob@corp.test")

        def fetched() -> bool:
            lab.command("shell", "client1", "fetchmail", "-s", "-a", check=False)  # 1: nothing new
            mail = lab.folder / "hosts/client1/home/mail"
            return mail.exists() and "hello" in mail.read_text()

        eventually("fetchmail reads bob's mailbox", fetched)
        trace = json.loads(lab.shell("hub1", "postern", "trace", "bob@corp.test", "--json"))
        assert any(one["step"] == "receive" and one["sender"] == "bob@corp.test" for one in trace)
        asked = "mutt -Q imap_user -Q from"
        assert lab.shell("client1", "sh", "-c", asked).count("bob@corp.test") == 2
    finally:
        lab.shell("client1", "rm", "-f", "mail")
        ticket(lab, "alice")


def test_a_ticket_for_one_person_is_no_other_person_s(lab: Lab) -> None:
    ticket(lab, "alice")
    refused = lab.command(
        *("shell", "client1", "sh", "-c"),
        "printf 'From: bob@corp.test\\nSubject: s\\n\\nnot mine\\n' | msmtp --from=bob@corp.test carol@corp.test",
        check=False,
    )
    assert refused.returncode != 0
    assert "5.7.1" in refused.stderr


def test_ntlm_passes_through_netlogon(lab: Lab) -> None:
    """The servers hold nobody's password: they ask a controller, over the row that says so."""
    submit = "smtp://hub1.corp.test:587 --mail-from bob@corp.test --mail-rcpt bob@corp.test -T letter"
    lab.shell("client1", "sh", "-c", f"{LETTER.format('bob', 'by NTLM')} >letter")
    assert curls(lab, "bob", "NTLM")
    assert curls(lab, "bob", "NTLM", "pop3s://cas1.corp.test/")
    assert curls(lab, "bob", "NTLM", submit)
    wrong = lab.command(
        *("shell", "client1", *CURL.split(), "--login-options", "AUTH=NTLM", "--user", "bob@corp.test:not-it"),
        "imaps://cas1.corp.test/INBOX",
        check=False,
    )
    assert wrong.returncode == 67
    # A controller's RPC ports, where netlogon is: a ticket is judged without them, a password's proof is not.
    with rules(lab, cas1="output tcp dport 49152-65535 ip daddr { 10.77.1.10, 10.77.4.10 } counter"):
        ticket(lab, "bob")
        assert curls(lab, "bob", "GSSAPI")
        before = _counted(lab)
        assert curls(lab, "bob", "NTLM")
        assert _counted(lab) > before
    ticket(lab, "alice")


def _counted(lab: Lab) -> int:
    said = lab.shell("cas1", "nft", "list", "chain", "inet", "postern", "output")
    found = re.search(r"dport 49152-65535 .*counter packets (\d+)", said)
    assert found, said
    return int(found[1])


@contextmanager
def locked(lab: Lab, person: str) -> Iterator[None]:
    """By guesses at Kerberos, which is no business of ours."""
    settings = ("samba-tool", "domain", "passwordsettings", "set")
    lab.shell("dc1", *settings, "--account-lockout-threshold=3")
    try:
        guess = f"KRB5CCNAME=/tmp/guess; export KRB5CCNAME; echo wrong | kinit {person} 2>&1"
        eventually("it is locked", lambda: "revoked" in lab.shell("client1", "sh", "-c", guess, check=False))
        yield
    finally:
        lab.shell("dc1", *settings, "--account-lockout-threshold=0")
        lab.shell("dc1", "samba-tool", "user", "unlock", person)


@pytest.mark.parametrize("taken_away", [account_disabled, locked])
def test_who_may_not_log_on_any_more_is_refused_at_once(
    lab: Lab, taken_away: Callable[[Lab, str], AbstractContextManager[None]]
) -> None:
    """By the password that was right a moment ago, by NTLM, and by the ticket that is still good."""
    mechanisms = ("PLAIN", "NTLM", "GSSAPI")
    ticket(lab, "dave")
    assert [curls(lab, "dave", one) for one in mechanisms] == [True, True, True]
    with taken_away(lab, "dave"):  # one of two functions
        assert [curls(lab, "dave", one) for one in mechanisms] == [False, False, False]
        assert curls(lab, "bob", "PLAIN")
    for one in mechanisms:
        eventually(f"dave may again by {one}", lambda one=one: curls(lab, "dave", one))  # type: ignore[misc]  # mypy knows no default of a lambda
    ticket(lab, "alice")


@contextmanager
def captured(lab: Lab) -> Iterator[Path]:
    """The file of all that any network of the lab carries, until the block ends."""
    output = lab.folder / "hosts/router/home/all.pcap"
    words = (
        "exec 2>&1; tcpdump --immediate-mode -B 65536 -Z root -s 0 -U -n -i any "
        f"-w {output} tcp & read line; kill -TERM $!; wait $!"
    )
    taking = subprocess.Popen(
        [POSTERN, "lab", "shell", "--name", lab.name, "router", "sh", "-c", words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert taking.stdout is not None
        assert any("listening on any" in line for line in iter(taking.stdout.readline, ""))
        yield output
    finally:
        said, _ = taking.communicate("\n", timeout=30)
    assert "0 packets dropped by kernel" in said


def found_in(capture: Path, marker: str) -> list[str]:
    """On which ports of servers this word can be read, as it is or as RPC writes names."""
    listed = subprocess.run(
        ["tcpdump", "-nr", str(capture), "-A", "-q", "-t", "-K"],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    ).stdout
    packets = re.split(r"^.*?\bIP (?=\d)", listed, flags=re.MULTILINE)
    found = {one.partition(":")[0] for one in packets if marker in one}
    if not found and any(form in capture.read_bytes() for form in (marker.encode(), marker.encode("utf-16-le"))):
        return ["somewhere"]
    return sorted(found)


def test_nobody_on_the_wire_reads_the_mail(lab: Lab) -> None:
    """Mail in both directions, over every network of the lab, read again over IMAP4. And the proof can fail: between strangers
    TLS is only offered, and who declines it is read."""
    ways = [Post(lab), Post(lab, via="hub1", to="erin@other.test"), Post(lab, via="hub2"), Post(lab, via="hub1")]
    with captured(lab) as capture:
        for mail in ways:
            mail.send(2)
        for mail in ways:
            mail.all_arrive()
        swaks = ("swaks", "--server", "edge1.corp.test", "--from", "erin@other.test", "--to", "alice@corp.test")
        lab.shell("internet1", *swaks, "--body", "readable-by-all")
    data = capture.read_bytes()
    clear = found_in(capture, "readable-by-all")
    assert clear
    assert all("203.0.113.25" in one and "10.77.2.20.25" in one for one in clear), clear
    assert {mail.marker: found_in(capture, mail.marker) for mail in ways} == {one.marker: [] for one in ways}
    assert PASSWORD.encode() not in data
    assert len(data) > 50_000
    assert b"STARTTLS" in data


SPACE = "http://schemas.microsoft.com/exchange/services/2006"
EVENT = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\nDTSTART:20310303T090000Z\n"
    "DTEND:20310303T110000Z\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR\n"
)


def when_busy(lab: Lab, server: str, *people: str) -> list[str]:
    """The merged free/busy of these people on 3 March 2031, an hour a digit, as the holder of the ticket asks at a server."""
    mailboxes = "".join(
        f"<t:MailboxData><t:Email><t:Address>{person}@corp.test</t:Address></t:Email></t:MailboxData>"
        for person in people
    )
    span = "<t:StartTime>2031-03-03T00:00:00</t:StartTime><t:EndTime>2031-03-04T00:00:00</t:EndTime>"
    question = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{SPACE}/messages" xmlns:t="{SPACE}/types">'
        "<s:Body><m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias></t:TimeZone>"
        f"<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow>{span}</t:TimeWindow>"
        "<t:MergedFreeBusyIntervalInMinutes>60</t:MergedFreeBusyIntervalInMinutes>"
        "<t:RequestedView>MergedOnly</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest></s:Body>"
        "</s:Envelope>"
    )
    (lab.folder / "hosts/client1/home/question").write_text(question)
    answer = lab.shell(
        *("client1", "sh", "-c"),
        f"{CURL} --negotiate -u : -H 'Content-Type: text/xml' --data-binary @question https://{server}/EWS/Exchange.asmx",
    )
    return re.findall(r"<t:MergedFreeBusy>(\d+)</t:MergedFreeBusy>", answer)


def test_free_busy_crosses_the_sites(lab: Lab) -> None:
    """Alice's mailbox is on mbx1 and grace's on mbx2; each client access server asks both."""
    for person, server in (("alice", "cas2"), ("grace", "cas1")):
        ticket(lab, person)
        (lab.folder / "hosts/client1/home/event").write_text(EVENT.format(uid=person))
        put = f"{CURL} --negotiate -u : -X PUT -H 'Content-Type: text/calendar' --data-binary @event"
        url = f"https://{server}.corp.test/dav/calendars/{person}@corp.test/calendar/{person}.ics"
        lab.shell("client1", "sh", "-c", f"{put} {url}")
    ticket(lab, "bob")
    wanted = ["0" * 9 + "22" + "0" * 13, "0" * 9 + "22" + "0" * 13]
    for server in ("cas1.corp.test", "cas2.corp.test"):
        assert when_busy(lab, server, "alice", "grace") == wanted
    seen = json.loads(lab.shell("cas1", "postern", "paths", "observed", "--json"))
    asked = {(one["peer"], one["mechanism"]) for one in seen if one["path"] == "availability-to-mailbox"}
    assert asked >= {("10.77.1.30", "Kerberos"), ("10.77.4.30", "Kerberos")}


def test_mail_and_mail_programs_reach_the_branch(lab: Lab) -> None:
    ticket(lab, "alice")
    lab.shell("client1", "sh", "-c", f"{LETTER.format('alice', 'to the branch')} | msmtp grace@corp.test")
    there = "imaps://cas2.corp.test/INBOX -X 'SEARCH SUBJECT \"to the branch\"'"

    def arrived() -> bool:
        ticket(lab, "grace")
        found = lab.shell("client1", "sh", "-c", f"{CURL} --login-options AUTH=GSSAPI --user grace@corp.test: {there}")
        return bool(re.search(r"SEARCH \d", found))

    eventually("grace reads the letter on cas2", arrived)
    trace = json.loads(lab.shell("hub2", "postern", "trace", "grace@corp.test", "--json"))
    assert {one["path"] for one in trace} >= {"hub-to-hub", "hub-to-mailbox-mapi"}
