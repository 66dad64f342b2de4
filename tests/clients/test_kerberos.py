"""Foreign clients log on without a password, by a ticket of a MIT KDC: curl, msmtp, mpop, and imaplib with python-gssapi."""

from __future__ import annotations

import imaplib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.people import HOST, KERBEROS_PASSWORD, SECONDS, Mailbox, private, run, trusting
from tests.organization import Organization
from tests.trust import kdc

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")]
ALICE, BOB, DISABLED = "alice@example.test", "bob@example.test", "disabled@example.test"


@pytest.fixture(scope="module")
def tickets(realm: kdc.Kdc, with_realm: Organization) -> dict[str, dict[str, str]]:
    """The environment of each principal after kinit. `stranger` has no account here, `disabled` a disabled one."""
    with_realm.add_user(DISABLED)
    with_realm.command("user", "disable", DISABLED)
    names = ("alice", "stranger", "disabled")
    return {name: realm.environment(realm.kinit(name, KERBEROS_PASSWORD)) for name in names}


@pytest.fixture
def subject() -> Iterator[str]:
    yield f"kerberos {uuid.uuid4().hex}"


def curl(
    organization: Organization, environment: dict[str, str], url: str, *more: str, data: bytes = b"", user: str = ":"
):
    """With ":" for a user curl takes who it is from the ticket."""
    return run(
        "curl", "-sS", "--ssl-reqd", "--cacert", organization.authority, "--login-options", "AUTH=GSSAPI",
        "--user", user, *more, url, environment=environment, data=data,
    )  # fmt: skip


def doors(organization: Organization) -> dict[str, str]:
    ports = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, "smtp": 587, "smtps": 465}
    return {scheme: f"{scheme}://{HOST}:{organization.port(port)}" for scheme, port in ports.items()}


@pytest.mark.parametrize("user", [":", f"{ALICE}:"])
@pytest.mark.parametrize("scheme", ["imap", "imaps", "pop3", "pop3s"])
def test_curl_reads(organization: Organization, tickets: dict[str, dict[str, str]], scheme: str, user: str) -> None:
    place = "/INBOX;MAILINDEX=1" if scheme.startswith("imap") else "/1"
    done = curl(organization, tickets["alice"], doors(organization)[scheme] + place, user=user)
    assert done.returncode == 0 and "\nTo: " in done.stdout, done.stdout


@pytest.mark.parametrize(("principal", "status"), [("alice", 207), ("stranger", 401), ("disabled", 401)])
def test_curl_asks_for_calendars(
    organization: Organization, tickets: dict[str, dict[str, str]], principal: str, status: int
) -> None:
    done = run(
        "curl", "-sS", "--cacert", organization.authority, "--negotiate", "--user", ":", "-X", "PROPFIND",
        "-H", "Depth: 1", "-w", " %{http_code}", f"https://{HOST}:{organization.port(443)}/dav/calendars/{ALICE}/",
        environment=tickets[principal],
    )  # fmt: skip
    assert done.stdout.endswith(f" {status}") and ("/tasks/" in done.stdout) == (status == 207), done.stdout


@pytest.mark.parametrize(("principal", "status"), [("alice", 200), ("stranger", 401)])
def test_curl_asks_exchange_web_services(
    organization: Organization, tickets: dict[str, dict[str, str]], principal: str, status: int
) -> None:
    space = "http://schemas.microsoft.com/exchange/services/2006"
    question = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{space}/messages" '
        f'xmlns:t="{space}/types"><s:Body><m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>'
        '<m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder></s:Body></s:Envelope>'
    )
    done = run(
        "curl", "-sS", "--cacert", organization.authority, "--negotiate", "--user", ":", "-H", "Content-Type: text/xml",
        "--data-binary", question, "-w", " %{http_code}", f"https://{HOST}:{organization.port(443)}/EWS/Exchange.asmx",
        environment=tickets[principal],
    )  # fmt: skip
    assert done.stdout.endswith(f" {status}") and ("NoError" in done.stdout) == (status == 200), done.stdout


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl_sends(organization: Organization, tickets: dict[str, dict[str, str]], scheme: str, subject: str) -> None:
    content = f"From: {ALICE}\r\nTo: {BOB}\r\nSubject: {subject}\r\n\r\nhi\r\n".encode()
    envelope = ("--mail-from", ALICE, "--mail-rcpt", BOB, "--upload-file", "-")
    done = curl(organization, tickets["alice"], doors(organization)[scheme], *envelope, data=content)
    assert done.returncode == 0, done.stdout
    assert Mailbox(organization, BOB).arrived(subject).endswith(b"\r\n\r\nhi\r\n")


@pytest.mark.parametrize("scheme", ["imaps", "pop3s"])
@pytest.mark.parametrize("principal", ["stranger", "disabled"])
def test_curl_with_a_ticket_that_is_nobodys(
    organization: Organization, tickets: dict[str, dict[str, str]], scheme: str, principal: str
) -> None:
    done = curl(organization, tickets[principal], doors(organization)[scheme])
    assert done.returncode == 67, done.stdout


def test_a_ticket_is_good_for_its_owner_only(organization: Organization, tickets: dict[str, dict[str, str]]) -> None:
    content = f"From: {BOB}\r\nSubject: never\r\n\r\nhi\r\n".encode()
    envelope = ("--mail-from", BOB, "--mail-rcpt", ALICE, "--upload-file", "-")
    done = curl(organization, tickets["alice"], doors(organization)["smtps"], *envelope, data=content, user=f"{BOB}:")
    assert done.returncode == 55 and "550" in done.stdout, done.stdout


def msmtp(organization: Organization, environment: dict[str, str], subject: str, folder: Path):
    rc = private(
        folder / "rc",
        f"account default\nhost {HOST}\nport {organization.port(587)}\ntls on\ntls_trust_file {organization.authority}\n"
        f"auth gssapi\nuser alice\nfrom {ALICE}\n",
    )
    content = f"From: {ALICE}\nTo: {BOB}\nSubject: {subject}\n\nhi\n".encode()
    return run("msmtp", "-C", rc, BOB, data=content, folder=folder, environment=environment)


def test_msmtp(organization: Organization, tickets: dict[str, dict[str, str]], subject: str, tmp_path: Path) -> None:
    done = msmtp(organization, tickets["alice"], subject, tmp_path)
    assert done.returncode == 0, done.stdout
    assert Mailbox(organization, BOB).arrived(subject).endswith(b"\r\n\r\nhi\r\n")
    for principal in ("stranger", "disabled"):
        refused = msmtp(organization, tickets[principal], "never", tmp_path)
        assert refused.returncode == 77 and "535 5.7.8" in refused.stdout, refused.stdout


def test_mpop(organization: Organization, tickets: dict[str, dict[str, str]], tmp_path: Path) -> None:
    rc = private(
        tmp_path / "rc",
        f"account default\nhost {HOST}\nport {organization.port(110)}\nuser alice\nauth gssapi\ntls on\n"
        f"tls_starttls on\ntls_trust_file {organization.authority}\nkeep on\n"
        f"delivery mbox {tmp_path}/mbox\nuidls_file {tmp_path}/uidls\n",
    )
    done = run("mpop", f"--file={rc}", folder=tmp_path, environment=tickets["alice"])
    assert done.returncode == 0 and (tmp_path / "mbox").read_bytes().count(b"\nTo: ") > 10, done.stdout


class Ticket:
    """RFC 4752's client on python-gssapi, as imaplib calls it: for `authzid`, without a security layer."""

    def __init__(self, environment: dict[str, str], authzid: str) -> None:
        gssapi = pytest.importorskip("gssapi")
        target = gssapi.Name(f"imap@{HOST}", gssapi.NameType.hostbased_service)
        credentials = gssapi.Credentials(usage="initiate", store={"ccache": environment["KRB5CCNAME"]})
        self._context = gssapi.SecurityContext(name=target, creds=credentials, usage="initiate")
        self._authzid = authzid

    def __call__(self, challenge: bytes) -> bytes:
        if not self._context.complete:
            return bytes(self._context.step(challenge or None) or b"")
        assert self._context.unwrap(challenge).message[:1] == b"\x01", "the server offers no layer but TLS"
        return bytes(self._context.wrap(b"\x01\0\0\0" + self._authzid.encode(), False).message)


@pytest.mark.parametrize("authzid", ["", "alice", ALICE])
def test_imaplib(
    organization: Organization,
    realm: kdc.Kdc,
    tickets: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    authzid: str,
) -> None:
    monkeypatch.setenv("KRB5_CONFIG", str(realm.krb5_conf))
    with imaplib.IMAP4_SSL(HOST, organization.port(993), ssl_context=trusting(organization), timeout=SECONDS) as imap:
        assert imap.authenticate("GSSAPI", Ticket(tickets["alice"], authzid))[0] == "OK"
        assert int(imap.select("INBOX", readonly=True)[1][0] or 0) > 10


@pytest.mark.parametrize(("principal", "authzid"), [("alice", BOB), ("stranger", ""), ("disabled", "")])
def test_imaplib_is_refused(
    organization: Organization,
    realm: kdc.Kdc,
    tickets: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    principal: str,
    authzid: str,
) -> None:
    monkeypatch.setenv("KRB5_CONFIG", str(realm.krb5_conf))
    with (
        imaplib.IMAP4_SSL(HOST, organization.port(993), ssl_context=trusting(organization), timeout=SECONDS) as imap,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        imap.authenticate("GSSAPI", Ticket(tickets[principal], authzid))
