"""Foreign clients submit mail: swaks, msmtp, curl and smtplib, on 587 and 465, by every mechanism they know.

NTLM is version 2 only: swaks' Perl library does that if it is told to, msmtp's library cannot.
"""

from __future__ import annotations

import email
import email.policy
import smtplib
import uuid
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.clients.people import HOST, SECONDS, Mailbox, private, run, succeeded, trusting
from tests.organization import PASSWORD, Organization

pytestmark = pytest.mark.slow
ALICE, BOB = "alice@example.test", "bob@example.test"
NTLM_2 = {"PERL5OPT": "-MAuthen::NTLM;Authen::NTLM::ntlmv2(1)"}


@pytest.fixture
def bob(organization: Organization) -> Mailbox:
    return Mailbox(organization, BOB)


@pytest.fixture
def subject() -> str:
    """One that no other message has."""
    return f"clients {uuid.uuid4().hex}"


def text(subject: str, sender: str = ALICE) -> bytes:
    return f"From: {sender}\r\nTo: {BOB}\r\nSubject: {subject}\r\n\r\nline\r\n.\r\n..dots\r\n".encode()


def assert_arrived(mailbox: Mailbox, subject: str) -> None:
    assert mailbox.arrived(subject).endswith(b"line\r\n.\r\n..dots\r\n")


def swaks(organization: Organization, mechanism: str, implicit: bool, password: str, *more: str):
    door = ("--server", f"{HOST}:{organization.port(465)}", "--tls-on-connect")
    if not implicit:
        door = ("--server", f"{HOST}:{organization.port(587)}", "--tls")
    trust = ("--tls-verify", "--tls-ca-path", str(organization.authority))
    return run(
        "swaks", *door, *trust, "--auth", mechanism, "--auth-user", ALICE, "--auth-password", password,
        "--from", ALICE, "--to", BOB, *more, environment=NTLM_2 if mechanism == "NTLM" else {},
    )  # fmt: skip


@pytest.mark.parametrize("implicit", [False, True], ids=["587", "465"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM"])
def test_swaks(organization: Organization, bob: Mailbox, subject: str, mechanism: str, implicit: bool) -> None:
    done = swaks(
        organization, mechanism, implicit, PASSWORD, "--header", f"Subject: {subject}", "--body", "line\n.\n..dots"
    )
    assert done.returncode == 0 and "queued as" in done.stdout, done.stdout
    assert b"line\r\n.\r\n..dots\r\n" in bob.arrived(subject)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM"])
def test_swaks_with_a_wrong_password(organization: Organization, mechanism: str) -> None:
    done = swaks(organization, mechanism, False, "wrong")
    assert done.returncode == 28 and "535 5.7.8" in done.stdout, done.stdout


def test_ntlm_version_1_is_refused(organization: Organization) -> None:
    """swaks' library says it where nobody tells it better: its answer to the challenge can be broken within minutes."""
    done = run(
        "swaks", "--server", f"{HOST}:{organization.port(587)}", "--tls", "--auth", "NTLM", "--auth-user", ALICE,
        "--auth-password", PASSWORD, "--from", ALICE, "--to", BOB,
    )  # fmt: skip
    assert done.returncode == 28 and "535 5.7.8" in done.stdout, done.stdout


def msmtp(organization: Organization, folder: Path, auth: str, password: str, content: bytes, implicit: bool = False):
    rc = private(
        folder / "msmtprc",
        f"account default\nhost {HOST}\nport {organization.port(465 if implicit else 587)}\ntls on\n"
        f"tls_starttls {'off' if implicit else 'on'}\ntls_trust_file {organization.authority}\n"
        f'auth {auth}\nuser {ALICE}\npassword "{password}"\nfrom {ALICE}\n',
    )
    return run("msmtp", "-C", rc, BOB, data=content, folder=folder)


@pytest.mark.parametrize("implicit", [False, True], ids=["587", "465"])
@pytest.mark.parametrize("auth", ["plain", "login", "scram-sha-256"])
def test_msmtp(
    organization: Organization, bob: Mailbox, subject: str, tmp_path: Path, auth: str, implicit: bool
) -> None:
    done = msmtp(organization, tmp_path, auth, PASSWORD, text(subject).replace(b"\r\n", b"\n"), implicit)
    assert done.returncode == 0, done.stdout
    assert_arrived(bob, subject)


def test_msmtp_chooses_and_verifies(organization: Organization, bob: Mailbox, subject: str, tmp_path: Path) -> None:
    """`auth on`: the best of what EHLO shows."""
    done = msmtp(organization, tmp_path, "on", PASSWORD, text(subject).replace(b"\r\n", b"\n"))
    assert done.returncode == 0, done.stdout
    assert_arrived(bob, subject)


@pytest.mark.parametrize("auth", ["plain", "scram-sha-256"])
def test_msmtp_with_a_wrong_password(organization: Organization, tmp_path: Path, auth: str) -> None:
    done = msmtp(organization, tmp_path, auth, "wrong", text("never"))
    assert done.returncode == 77 and "535 5.7.8" in done.stdout, done.stdout


@pytest.mark.parametrize("door", ["smtp", "smtps"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM"])
def test_curl(organization: Organization, bob: Mailbox, subject: str, door: str, mechanism: str) -> None:
    url = f"{door}://{HOST}:{organization.port(587 if door == 'smtp' else 465)}"
    succeeded(
        "curl", "-sS", "--ssl-reqd", "--cacert", organization.authority, "--login-options", f"AUTH={mechanism}",
        "--user", f"{ALICE}:{PASSWORD}", "--mail-from", ALICE, "--mail-rcpt", BOB, "--upload-file", "-", url,
        data=text(subject),
    )  # fmt: skip
    assert_arrived(bob, subject)


def test_smtplib_and_a_korean_message(organization: Organization, bob: Mailbox, subject: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ALICE, BOB, f"안녕 {subject}"
    message.set_content("안녕하세요\n" * 10)
    message.add_attachment(bytes(range(256)) * 400, "application", "octet-stream", filename="첨부.bin")
    with smtplib.SMTP_SSL(HOST, organization.port(465), context=trusting(organization), timeout=SECONDS) as smtp:
        smtp.login(ALICE, PASSWORD)
        assert smtp.send_message(message) == {}
    read = email.message_from_bytes(bob.arrived(subject), policy=email.policy.default)
    assert read["Subject"] == f"안녕 {subject}"
    body, attachment = read.iter_parts()
    assert body.get_content().split() == ["안녕하세요"] * 10
    assert attachment.get_filename() == "첨부.bin" and attachment.get_content() == bytes(range(256)) * 400


def test_submission_makes_a_message_whole(organization: Organization, bob: Mailbox, subject: str) -> None:
    with smtplib.SMTP(HOST, organization.port(587), timeout=SECONDS) as smtp:
        smtp.starttls(context=trusting(organization))
        smtp.login("alice", PASSWORD)
        smtp.sendmail(ALICE, [BOB], f"From: {ALICE}\r\nSubject: {subject}\r\n\r\nhi\r\n")
    head = bob.arrived(subject).partition(b"\r\n\r\n")[0].lower()
    assert b"\r\ndate: " in head and b"\r\nmessage-id: <" in head
    assert b"esmtpsa" in head, "the trace line says that the sender was authenticated inside TLS"


def test_who_may_send_as_whom(organization: Organization) -> None:
    with smtplib.SMTP(HOST, organization.port(587), timeout=SECONDS) as smtp:
        smtp.starttls(context=trusting(organization))
        smtp.login(ALICE, PASSWORD)
        with pytest.raises(smtplib.SMTPSenderRefused) as envelope:
            smtp.sendmail(BOB, [BOB], text("never", BOB))
        assert envelope.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPDataError) as header:
            smtp.sendmail(ALICE, [BOB], text("never", BOB))
        assert header.value.smtp_code == 550


@pytest.mark.parametrize("port", [587, 465])
def test_submission_without_authentication_is_refused(organization: Organization, port: int) -> None:
    context = trusting(organization)
    if port == 465:
        client: smtplib.SMTP = smtplib.SMTP_SSL(HOST, organization.port(port), context=context, timeout=SECONDS)
    else:
        client = smtplib.SMTP(HOST, organization.port(port), timeout=SECONDS)
        client.starttls(context=context)
    with client as smtp, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        smtp.sendmail(ALICE, [BOB], text("never"))
    assert refused.value.smtp_code == 530


def test_no_relay(organization: Organization) -> None:
    with smtplib.SMTP(HOST, organization.port(25), timeout=SECONDS) as smtp:
        smtp.starttls(context=trusting(organization))
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail("stranger@remote.test", ["someone@elsewhere.test"], text("never"))
        assert {code for code, _ in refused.value.recipients.values()} <= {550, 554}
        assert smtp.sendmail("stranger@remote.test", [BOB], text("from outside", "stranger@remote.test")) == {}


@pytest.mark.parametrize("port", [25, 587])
def test_no_password_in_clear_text(organization: Organization, port: int) -> None:
    with smtplib.SMTP(HOST, organization.port(port), timeout=SECONDS) as smtp:
        smtp.ehlo()
        assert "auth" not in smtp.esmtp_features
        code, words = smtp.docmd("AUTH", "PLAIN AGFsaWNlAHg=")
        assert code in (504, 530, 538), words
