"""What clients find without logging on: Thunderbird's configuration, Apple's profile, and the redirects to DAV.

covers: autoconfig mobileconfig
"""

from __future__ import annotations

import plistlib
from pathlib import Path
from subprocess import run

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.protocols import xml
from postern.services.autodiscover import mobileconfig
from postern.services.autodiscover.client_services import ClientServices, client_services
from postern.services.autodiscover.configuration import ClientConfiguration
from tests.certificates import Key, make
from tests.services.autodiscover.callers import ask, organization, rows, services


def application(known: ClientServices | None = None) -> ClientConfiguration:
    return ClientConfiguration(lambda: known or services(), lambda profile: b"signed " + profile)


def autoconfig(target: str, known: ClientServices | None = None, host: str = "cas1.example.test") -> httpx.Response:
    return ask(application(known).autoconfig, "GET", target, host=host)


def servers(root: xml.Element, kind: str) -> list[tuple[str, str, str, str, list[str]]]:
    provider = root.find("emailProvider")
    assert provider is not None
    return [
        (
            server.attributes["type"],
            server.text_of("hostname"),
            server.text_of("port"),
            server.text_of("socketType"),
            [method.text for method in server.find_all("authentication")],
        )
        for server in provider.find_all(kind)
        if server.text_of("username") == "%EMAILADDRESS%"
    ]


def test_thunderbird_finds_the_servers_that_run() -> None:
    response = autoconfig("/mail/config-v1.1.xml?emailaddress=somebody%40Example.test")
    assert response.status_code == 200 and response.headers["content-type"] == "text/xml; charset=utf-8"
    root = xml.read(response.content)
    provider = root.find("emailProvider")
    assert root.attributes == {"version": "1.1"} and provider is not None
    assert provider.attributes == {"id": "example.test"} and provider.text_of("domain") == "example.test"
    assert provider.text_of("displayName") == "Example & Sons"
    methods = ["GSSAPI", "password-cleartext"]
    assert servers(root, "incomingServer") == [
        ("imap", "cas1.example.test", "993", "SSL", methods),
        ("imap", "cas1.example.test", "143", "STARTTLS", methods),
        ("pop3", "cas1.example.test", "995", "SSL", methods),
        ("pop3", "cas1.example.test", "110", "STARTTLS", methods),
    ]
    assert servers(root, "outgoingServer") == [
        ("smtp", "hub1.example.test", "465", "SSL", methods),
        ("smtp", "hub1.example.test", "587", "STARTTLS", methods),
    ]
    assert [child.local for child in root.elements] == ["emailProvider"]


def test_calendars_and_contacts_are_there_where_they_run() -> None:
    known = services("caldav", "carddav")
    root = xml.read(autoconfig("/mail/config-v1.1.xml?emailaddress=a@example.test", known).content)
    assert root.text_of("calendar", "serverURL") == "https://cas1.example.test/dav/"
    assert root.text_of("addressBook", "serverURL") == "https://cas1.example.test/dav/"


def test_nothing_is_said_about_an_address() -> None:
    def answer(address: str) -> tuple[int, bytes]:
        response = autoconfig(f"/mail/config-v1.1.xml?emailaddress={address}")
        return response.status_code, response.content

    assert answer("alice@example.test") == answer("nobody@example.test") == answer("%00%22@example.test")
    assert answer("alice@other.test")[0] == answer("@")[0] == answer("a@" + "b" * 5000)[0] == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [("autoconfig.example.test", 200), ("autoconfig.xn--vf4b131b.test", 200), ("autoconfig.other.test", 404)],
)
def test_without_an_address_the_host_names_the_domain(host: str, status: int) -> None:
    response = autoconfig("/mail/config-v1.1.xml", host=host)
    assert response.status_code == status
    if status == 200:
        assert xml.read(response.content).text_of("emailProvider", "domain") == host.removeprefix("autoconfig.")


def test_a_configuration_offers_no_password_where_the_profile_has_none() -> None:
    known = client_services(
        organization(), rows(profile=Profile.HARDENED), frozenset({Mechanism.KERBEROS, Mechanism.BASIC})
    )
    root = xml.read(autoconfig("/?emailaddress=a@example.test", known).content)
    assert {tuple(methods) for *_, methods in servers(root, "incomingServer")} == {("GSSAPI",)}


def profile(target: str, known: ClientServices | None = None) -> httpx.Response:
    return ask(application(known).mobileconfig, "GET", target)


def test_an_apple_device_gets_accounts_for_what_runs() -> None:
    response = profile(
        "/apple.mobileconfig?emailaddress=bob%40example.test", services("caldav", "carddav", offset=10_000)
    )
    assert response.headers["content-type"] == "application/x-apple-aspen-config"
    signed, _, content = response.content.partition(b"signed ")
    read = plistlib.loads(content)
    assert not signed and (read["PayloadType"], read["PayloadDisplayName"]) == ("Configuration", "Example & Sons")
    mail, calendars, contacts = read["PayloadContent"]
    assert {key: value for key, value in mail.items() if not key.startswith("Payload")} == {
        "EmailAccountDescription": "Example & Sons",
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAddress": "bob@example.test",
        "IncomingMailServerHostName": "cas1.example.test",
        "IncomingMailServerPortNumber": 10993,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerUsername": "bob@example.test",
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": "hub1.example.test",
        "OutgoingMailServerPortNumber": 10465,
        "OutgoingMailServerUseSSL": True,
        "OutgoingMailServerUsername": "bob@example.test",
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    assert (calendars["CalDAVHostName"], calendars["CalDAVPort"]) == ("cas1.example.test", 10443)
    assert contacts["CardDAVPrincipalURL"] == "/dav/"
    identifiers = [payload["PayloadUUID"] for payload in (read, mail, calendars, contacts)]
    assert len(set(identifiers)) == 4
    again = plistlib.loads(profile("/?emailaddress=bob@example.test").content.partition(b"signed ")[2])
    assert again["PayloadUUID"] == read["PayloadUUID"], "a new profile takes the place of the former"


@pytest.mark.parametrize(
    "query", ["", "?emailaddress=", "?emailaddress=a@other.test", "?emailaddress=a%0a@example.test"]
)
def test_there_is_no_profile_for_what_is_no_address_of_ours(query: str) -> None:
    assert profile("/apple.mobileconfig" + query).status_code == 404


def test_there_is_no_profile_where_nothing_runs() -> None:
    nothing = client_services(organization(), {}, frozenset())
    assert profile("/?emailaddress=a@example.test", nothing).status_code == 404


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_the_signature_is_one_that_openssl_verifies(key: Key, tmp_path: Path) -> None:
    authority = make("An authority", ca=True)
    files = make("cas1.example.test", authority, key=key).write(tmp_path)
    chain = files.chain.read_bytes()
    content = mobileconfig.profile("bob@example.test", services())
    assert content is not None
    (tmp_path / "profile").write_bytes(mobileconfig.signed(content, chain, files.key.read_bytes()))
    (tmp_path / "ca.pem").write_bytes(authority.write(tmp_path).chain.read_bytes())
    arguments = ["-inform", "DER", "-in", "profile", "-CAfile", "ca.pem", "-purpose", "any", "-binary"]
    verified = run(["openssl", "cms", "-verify", *arguments], cwd=tmp_path, capture_output=True, check=True)
    assert verified.stdout == content
    with pytest.raises(ValueError, match=r".+"):
        mobileconfig.signed(content, b"none", files.key.read_bytes())


@pytest.mark.parametrize(("path", "row"), [("/.well-known/caldav", "caldav"), ("/.well-known/CardDAV/", "carddav")])
def test_well_known_places_lead_to_dav_where_it_runs(path: str, row: str) -> None:
    response = ask(application(services(row)).well_known, "PROPFIND", path)
    assert (response.status_code, response.headers["location"]) == (301, "/dav/"), "the name stays"
    clear = ask(application(services(row)).well_known, "GET", path, scheme="http")
    assert (clear.status_code, clear.headers["location"]) == (301, "https://cas1.example.test/dav/")
    without = {id: value for id, value in rows().items() if id not in ("caldav", "carddav")}
    closed = client_services(organization(), without, frozenset())
    assert ask(application(closed).well_known, "GET", path).status_code == 404
