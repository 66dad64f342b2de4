"""Certificates of a running organization, issued by Pebble through its own port 80, renewed and imported, while a hundred
connections stay.

covers: acme, acme-challenge
"""

from __future__ import annotations

import http.client
import imaplib
import json
import os
import signal
import ssl
import urllib.request
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client.parser import text_string_to_metric_families

from tests import organization
from tests.certificates import authority, make
from tests.journeys.traveller import until
from tests.organization import PASSWORD, Organization
from tests.pebble import Pebble, pebble
from tests.support.ports import free_offset

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
SECONDS = 20.0
NAME = "server1.example.test"


@pytest.fixture(scope="module")
def offset() -> int:
    return free_offset((*organization.PORTS, 80, 443))


@pytest.fixture(scope="module")
def server(offset: int) -> Iterator[Pebble]:
    with pebble(80 + offset) as running:
        yield running


@pytest.fixture(scope="module")
def here(offset: int, server: Pebble) -> Iterator[Organization]:
    changes = {
        "# acme = false": "acme = true",
        "# metrics = false": "metrics = true",
        "# dns-servers = []": f'dns-servers = ["127.0.0.1:{server.names}"]',
    }
    made = organization.start(offset=offset, configuration=changes)
    try:
        made.add_user("alice")
        yield made
    finally:
        organization.remove(made)


def lax() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shown(here: Organization, port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", here.port(port)))


class Clients:
    """Fifty connections by IMAP, of which some are logged on, and fifty by HTTPS."""

    def __init__(self, here: Organization) -> None:
        self.mail = [imaplib.IMAP4_SSL("127.0.0.1", here.port(993), ssl_context=lax(), timeout=20) for _ in range(49)]
        self.web = [
            http.client.HTTPSConnection("127.0.0.1", here.port(443), context=lax(), timeout=20) for _ in range(49)
        ]
        self.mail[0].login("alice@example.test", PASSWORD)
        self.sockets = []
        for connection in self.web:
            self.ask(connection)
            self.sockets.append(connection.sock)

    @staticmethod
    def ask(connection: http.client.HTTPSConnection) -> int:
        connection.request("GET", "/mail/config-v1.1.xml", headers={"Host": NAME})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def all_stay(self) -> bool:
        """Whether each answers on the connection that it had from the first."""
        mail = all(client.noop()[0] == "OK" for client in self.mail)
        return mail and all(
            self.ask(each) < 500 and each.sock is sock for each, sock in zip(self.web, self.sockets, strict=True)
        )

    def close(self) -> None:
        for client in self.mail:
            client.shutdown()
        for connection in self.web:
            connection.close()


PORTS = (993, 995, 465, 443)


@pytest.fixture
def clients(here: Organization) -> Iterator[Clients]:
    made = Clients(here)
    yield made
    made.close()


def certificate(here: Organization) -> dict[str, str]:
    shown = json.loads(here.command("certificate", "show", "--json").stdout)
    first: dict[str, str] = shown["certificates"][0]
    return first


def test_connections_stay_while_certificates_come_and_go(here: Organization, server: Pebble, clients: Clients) -> None:
    workers = {role: sorted(here.workers(role)) for role in ("client-access", "hub")}

    def taken_up(said: str) -> None:
        assert "the doors show it from now on; connections stay" in said
        # Each worker looks by itself, and chance decides which one answers.
        until(
            lambda: all(shown(here, port) != before for port in PORTS * 30), "the new certificate at each door", SECONDS
        )
        assert len({shown(here, port) for port in PORTS}) == 1
        assert clients.all_stay()

    before = shown(here, 993)
    there = ("--directory", server.directory, "--authorities", str(server.authorities), "--private", "--agree")
    taken_up(here.command("certificate", "acme", *there, NAME).stdout)
    assert certificate(here)["source"] == "acme"

    before = shown(here, 993)  # the supervisor renews what is due
    record = here.state / "certificates" / "acme.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"due": 0.0}))
    os.kill(here.process.pid, signal.SIGHUP)
    until(lambda: shown(here, 443) != before, "the renewed certificate", SECONDS)
    assert clients.all_stay()
    assert certificate(here)["source"] == "acme"
    observed = json.loads(here.command("paths", "observed", "--json").stdout)
    assert {"acme", "acme-challenge"} <= {each["path"] for each in observed}
    assert not (here.state / "alarms.jsonl").exists(), "each socket fitted a row"

    assert here.verify("--path", "acme-challenge")["acme-challenge"]["verdict"] == "pass"

    before = shown(here, 993)
    root = authority("Another authority")
    files = make(NAME, root, days=(-1, 90)).write(here.state.parent)
    files.chain.write_bytes(files.chain.read_bytes() + root.certificate.public_bytes(Encoding.PEM))
    taken_up(here.command("certificate", "import", str(files.chain), "--key", str(files.key)).stdout)
    assert here.verify("--path", "imap4")["imap4"]["verdict"] == "pass", "by the authority that came with it"

    before = shown(here, 993)
    taken_up(here.command("certificate", "renew", "--local").stdout)
    assert here.verify("--path", "imap4")["imap4"]["verdict"] == "pass"
    assert {role: sorted(here.workers(role)) for role in workers} == workers


def test_the_end_of_each_certificate_is_told(here: Organization) -> None:
    def seconds() -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{here.port(9464)}/metrics", timeout=20) as response:
            families = list(text_string_to_metric_families(response.read().decode()))
        samples = [sample for family in families for sample in family.samples]
        return {
            sample.labels["certificate"]: sample.value
            for sample in samples
            if sample.name == "postern_certificate_expires_seconds"
        }

    until(lambda: 396 * 86_400 < seconds().get("server", 0.0) < 398 * 86_400, "the certificate in place", SECONDS)
    assert 3649 * 86_400 < seconds()["authority"] < 3651 * 86_400


def test_nothing_but_a_challenge_is_given_out_on_port_80(here: Organization) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", here.port(80), timeout=20)
    connection.request("GET", "/.well-known/acme-challenge/" + "x" * 43, headers={"Host": "elsewhere.test"})
    answer = connection.getresponse()
    assert answer.status == 404
    answer.read()
    connection.request("GET", "/.well-known/acme-challenge/../../server.key", headers={"Host": NAME})
    assert connection.getresponse().status in (301, 302, 307, 308, 400, 404)
    connection.close()
