"""Does verify notice? An organization is broken from outside, one way after another, and each time the row's own probe must fail.

First and last it runs unbroken and passes: else nothing here would mean anything.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.cli import test_verify
from tests.verify.mutant import ROLES, Mutant, mutant
from tests.verify.stripping_proxy import proxy

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]

DEPLOYED = set(test_verify.DEPLOYED)


@dataclass(frozen=True)
class Mutation:
    """What is executed in the workers of `roles`; the row `path` must fail with these words."""

    name: str
    text: str
    roles: tuple[str, ...]
    path: str
    words: str


HUB, MAILBOX, ACCESS = ("hub",), ("mailbox",), ("client-access",)
MUTATIONS = (
    Mutation(
        "the guard lets passwords through in clear text",
        "from postern.paths import guard\nguard._allows = lambda row, mechanism, seal: True",
        ACCESS,
        "imap4",
        "a password in clear text is refused on port 143",
    ),
    Mutation(
        "a mechanism is advertised that no row lists",
        "from postern.trust.framing import sasl\nold = sasl.names\nsasl.names = lambda *how: (*old(*how), 'CRAM-MD5')",
        HUB,
        "client-to-hub-smtp",
        "only listed mechanisms are shown on port 25",
    ),
    Mutation(
        "a listed mechanism is not offered",
        "import dataclasses\nfrom postern.paths.guard import Guard\nold = Guard.offer\n"
        "def offer(self, *how, **more):\n    known = old(self, *how, **more)\n"
        "    return dataclasses.replace(known, mechanisms=tuple(n for n in known.mechanisms if n != 'NTLM'))\n"
        "Guard.offer = offer",
        ACCESS,
        "pop3",
        "NTLM: NTLM is not shown on port 110",
    ),
    Mutation(
        "a proof that is bound to another channel is accepted",
        "from postern.trust.sasl import scram\nhmac = scram.hmac\nclass Blind:\n    digest = staticmethod(hmac.digest)\n"
        "    compare_digest = staticmethod(lambda a, b: a[:2] == b'p=' or hmac.compare_digest(a, b))\nscram.hmac = Blind",
        ACCESS,
        "imap4",
        "SCRAM-SHA-256-PLUS bound to another channel is refused on port 143",
    ),
    Mutation(
        "EXTERNAL is accepted from whoever says a name",
        "from postern.model.security import Identity, Mechanism, PrincipalKind\n"
        "from postern.trust.acceptor import Granted\n"
        "from postern.trust.framing import sasl as framing\n"
        "class Yes:\n    async def step(self, response):\n"
        "        return Granted(Identity(PrincipalKind.USER, response.decode(), Mechanism.BASIC))\n"
        "allowed, begin = framing.allowed, framing.begin\n"
        "framing.allowed = lambda guard, name, seal: (\n"
        "    Mechanism.CERTIFICATE if name.upper() == 'EXTERNAL' else allowed(guard, name, seal))\n"
        "framing.begin = lambda authenticator, name, asking: (\n"
        "    Yes() if name.upper() == 'EXTERNAL' else begin(authenticator, name, asking))",
        HUB,
        "client-to-hub-smtp",
        "EXTERNAL is refused on port 587",
    ),
    Mutation(
        "any password is right",
        "from postern.trust.passwords import verifiers\nverifiers.matches = lambda verifier, prepared: verifier is not None",
        ACCESS,
        "pop3",
        "a wrong password by LOGIN is refused on port 995",
    ),
    Mutation(
        "any proof of NTLM is right",
        "import hmac, types\nfrom postern.trust.ntlm import handshake as ntlm\n"
        "ntlm.hmac = types.SimpleNamespace(digest=hmac.digest, compare_digest=lambda a, b: True)",
        ACCESS,
        "imap4",
        "a wrong password by NTLM is refused on port 143",
    ),
    Mutation(
        "an open relay",
        "from postern.services.smtp import recipients\nrecipients._NO_RELAY = recipients._OK",
        HUB,
        "internet-to-hub",
        "relaying is refused in clear text",
    ),
    Mutation(
        "mail for nobody is accepted",
        "from postern.services.smtp import recipients\nrecipients._NO_RECIPIENT = recipients._OK",
        HUB,
        "internet-to-hub",
        "an unknown mailbox is refused over TLS",
    ),
    Mutation(
        "TLS is not offered any more",
        "import dataclasses\nfrom postern.paths.guard import Guard\nold = Guard.offer\n"
        "Guard.offer = lambda self, seal, can_upgrade: (\n    dataclasses.replace(old(self, seal, can_upgrade), upgrade=False))",
        HUB,
        "internet-to-hub",
        "TLS is offered on port 25",
    ),
    Mutation(
        "TLS 1.1 is negotiated",
        "import ssl\nfrom postern.net import tls\n"
        "def floor(context):\n    context.set_ciphers('DEFAULT:@SECLEVEL=0')\n"
        "    context.minimum_version = ssl.TLSVersion.TLSv1\ntls._floor = floor",
        ACCESS,
        "pop3",
        "TLS 1.1 is refused on port 110",
    ),
    Mutation(
        "a port is another",
        "from postern.model.organization import Organization\n"
        "Organization.port = lambda self, number: number + self.offset + (1 if number == 143 else 0)",
        ACCESS,
        "imap4",
        "port 143/TCP answers",
    ),
    Mutation(
        "RPC without sealing is enough",
        "from postern.paths import guard\nguard._allows = lambda row, mechanism, seal: True",
        MAILBOX,
        "hub-to-mailbox-mapi",
        "NTLM at the level integrity is refused",
    ),
    Mutation(
        "RPC asks nobody who they are",
        "from postern.paths.guard import Guard\nfrom postern.roles.rpc import Rpc\n"
        "Guard.row_for = lambda self, identity, seal: self.rows[0]\nRpc.may_call = lambda self, identity, row: True",
        MAILBOX,
        "cas-to-mailbox",
        "a call without authentication is refused",
    ),
    Mutation(
        "free/busy is told to whoever asks",
        "from postern.paths.guard import Guard\nfrom postern.roles.rpc import Rpc\n"
        "Guard.row_for = lambda self, identity, seal: self.rows[0]\nRpc.may_call = lambda self, identity, row: True",
        MAILBOX,
        "availability-to-mailbox",
        "a call without authentication is refused",
    ),
    Mutation(
        "RPC takes a user for a server",
        "import dataclasses\nfrom postern.directory.slapd_adapter import SlapdDirectory\nfrom postern.roles.rpc import Rpc\n"
        "old = SlapdDirectory.account\nasync def account(self, name):\n    known = await old(self, name)\n"
        "    return known and dataclasses.replace(known, is_server=True)\nSlapdDirectory.account = account\n"
        "Rpc.may_call = lambda self, identity, row: True",
        MAILBOX,
        "cas-to-mailbox",
        "a user's account by NTLM is refused",
    ),
    Mutation(
        "RPC answers outside its range",
        "from postern.roles import rpc\nfrom postern.services.rpc import endpoint_mapper\nold = endpoint_mapper.rpc_port\n"
        "rpc.rpc_port = endpoint_mapper.rpc_port = lambda organization, role: old(organization, role) + 30",
        ("mailbox", "hub"),
        "cas-to-mailbox",
        "the dynamic port is of the organization's range",
    ),
    Mutation(
        "the sockets of roles are made for everybody",
        "import os\nfrom postern.net.door import Door\nold = Door.open_local\nasync def open_local(self, path):\n"
        "    await old(self, path)\n    os.chmod(path, 0o666)\nDoor.open_local = open_local",
        MAILBOX,
        "cas-to-mailbox",
        "mailbox.0 is closed to other accounts",
    ),
)


@pytest.fixture(scope="module")
def broken() -> Iterator[Mutant]:
    with mutant() as made:
        for mechanism in ("ntlm", "scram"):
            made.outside.command("domain", "auth", "enable", mechanism)
        made.restart(ROLES)  # sooner than they would look by themselves
        reports = made.outside.verify()
        assert {id for id, report in reports.items() if report["verdict"] == "pass"} == DEPLOYED, _failures(reports)
        yield made


def _failures(reports: dict) -> str:
    return json.dumps([report for report in reports.values() if report["verdict"] == "fail"], indent=1)


def _noticed(made: Mutant, path: str, words: str) -> None:
    done = made.outside.command("verify", "--json", "--path", path, check=False)
    assert done.returncode == 1, f"{path} passes: {done.stdout}{done.stderr}"
    (report,) = json.loads(done.stdout)
    assert report["verdict"] == "fail" and words in report["detail"], report["detail"]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_changed_program_is_noticed(mutation: Mutation, broken: Mutant) -> None:
    broken.mutate(mutation.text, mutation.roles)
    _noticed(broken, mutation.path, mutation.words)


def test_a_swapped_certificate_is_noticed(broken: Mutant) -> None:
    broken.mend()
    folder = broken.organization.state / "certificates"
    kept = {name: (folder / name).read_bytes() for name in ("server.pem", "server.key")}
    other = trustme.CA().issue_cert("server1.example.test")
    try:
        (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in other.cert_chain_pems))
        (folder / "server.key").write_bytes(other.private_key_pem.bytes())
        broken.restart(("client-access",))
        _noticed(broken, "imap4", "CERTIFICATE_VERIFY_FAILED")
    finally:
        for name, content in kept.items():
            (folder / name).write_bytes(content)
        broken.restart(("client-access",))


MOVED = next(mutation for mutation in MUTATIONS if mutation.name == "a port is another")


def test_somebody_who_strips_the_offer_of_tls_is_noticed(broken: Mutant) -> None:
    broken.mutate(MOVED.text, MOVED.roles)
    with proxy(broken.organization.port(143), broken.organization.port(143) + 1, hide=b" STARTTLS"):
        _noticed(broken, "imap4", "port 143/TCP")


def test_somebody_who_ends_tls_is_noticed(broken: Mutant, tmp_path: Path) -> None:
    broken.mutate(MOVED.text.replace("143", "993"), MOVED.roles)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("server1.example.test").configure_cert(context)
    with proxy(broken.organization.port(993), broken.organization.port(993) + 1, tls=context):
        _noticed(broken, "imap4", "CERTIFICATE_VERIFY_FAILED")


@contextlib.contextmanager
def _mode(file: Path, mode: int) -> Iterator[None]:
    before = file.stat().st_mode & 0o7777
    file.chmod(mode)
    try:
        yield
    finally:
        file.chmod(before)


@pytest.mark.parametrize(
    ("file", "path", "words"),
    [
        ("sockets", "hub-to-mailbox-mapi", "the folder of mailbox.0 is closed to other accounts"),
        ("sockets/hub.0", "mailbox-to-hub-submission", "hub.0 is closed to other accounts"),
        ("sockets/slapd", "private-directory", "the folder of ldapi is closed to other accounts"),
        ("sockets/postgresql", "postgresql", "the folder of .s.PGSQL.5432 is closed to other accounts"),
    ],
)
def test_a_socket_that_others_can_open_is_noticed(file: str, path: str, words: str, broken: Mutant) -> None:
    broken.mend()
    with _mode(broken.organization.state / file, 0o777):
        _noticed(broken, path, words)


def test_servers_that_live_by_another_profile_are_noticed(broken: Mutant) -> None:
    """The configuration says `reference` by now; nobody restarted the servers."""
    broken.mend()
    file = broken.organization.state / "postern.toml"
    text = file.read_text()
    try:
        file.write_text(text.replace('profile = "practical"', 'profile = "reference"'))
        _noticed(broken, "client-to-hub-smtp", "also shows PLAIN, LOGIN, SCRAM-SHA-256-PLUS, SCRAM-SHA-256")
    finally:
        file.write_text(text)


def test_mended_it_passes_again(broken: Mutant) -> None:
    broken.mend()
    reports = _until(lambda: broken.outside.verify(), lambda found: not _any_failed(found))
    assert {id for id, report in reports.items() if report["verdict"] == "pass"} == DEPLOYED, _failures(reports)


def _any_failed(reports: dict) -> bool:
    return any(report["verdict"] == "fail" for report in reports.values())


def _until(ask: Callable[[], dict], good: Callable[[dict], bool], seconds: float = 15.0) -> dict:
    """Roles that were ended together find each other again within seconds."""
    deadline = time.monotonic() + seconds
    while not good(found := ask()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found
