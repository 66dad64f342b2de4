"""Autodiscover as its two kinds of clients speak it, from request to answer.

covers: pox soap mailboxes
"""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.security import NOBODY, Identity, Mechanism
from postern.paths.row import Tls
from postern.protocols import xml
from postern.services.autodiscover import pox, soap
from postern.services.autodiscover.application import Autodiscover
from postern.services.autodiscover.client_services import ClientServices
from tests.services.autodiscover.callers import ALICE, BOB, Accounts, ask, directory, identity, services
from tests.transport.world import user

BASE = "http://schemas.microsoft.com/exchange/autodiscover/"
OUTLOOK, MOBILE = BASE + "outlook/responseschema/2006a", BASE + "mobilesync/responseschema/2006"
ANSWER = BASE + "responseschema/2006"
SERVICE = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def application(known: ClientServices | None = None, book: Accounts | None = None) -> Autodiscover:
    return Autodiscover(
        book or directory(), lambda database: known or services(), "cas1.example.test", lambda: 1_795_480_000.25
    )


def question(address: str, schema: str = OUTLOOK, request: str = "outlook") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{BASE}{request}/requestschema/2006"><Request>'
        f"<EMailAddress>{xml.text(address)}</EMailAddress>"
        f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    ).encode()


def pox_answer(content: bytes, app: Autodiscover | None = None, caller: Identity | None = None) -> xml.Element:
    served = (app or application()).answer_pox
    response = ask(served, "POST", "/autodiscover/autodiscover.xml", content, caller=caller or identity(ALICE))
    assert response.status_code == 200 and response.headers["content-type"] == "text/xml; charset=utf-8"
    assert response.headers["cache-control"] == "private"
    root = xml.read(response.content)
    assert root.name == f"{{{ANSWER}}}Autodiscover"
    return root


def outlook(name: str) -> str:
    return f"{{{OUTLOOK}}}{name}"


def mobile(name: str) -> str:
    return f"{{{MOBILE}}}{name}"


def error_of(root: xml.Element) -> tuple[str, str]:
    error = root.find(f"{{{ANSWER}}}Response", f"{{{ANSWER}}}Error")
    assert error is not None and error.attributes["Time"] == "00:26:40.250000" and error.attributes["Id"].isdigit()
    assert [child.local for child in error.elements] == ["ErrorCode", "Message", "DebugData"]
    return error.text_of(f"{{{ANSWER}}}ErrorCode"), error.text_of(f"{{{ANSWER}}}Message")


def test_a_mail_program_learns_every_service_that_runs() -> None:
    root = pox_answer(question("Alice@Example.TEST"))
    user_element = root.find(outlook("Response"), outlook("User"))
    account = root.find(outlook("Response"), outlook("Account"))
    assert user_element is not None and account is not None
    assert user_element.text_of(outlook("DisplayName")) == "Alice <A>"
    assert user_element.text_of(outlook("AutoDiscoverSMTPAddress")) == "alice@example.test"
    assert (account.text_of(outlook("AccountType")), account.text_of(outlook("Action"))) == ("email", "settings")
    told = [{field.local: field.text for field in part.elements} for part in account.find_all(outlook("Protocol"))]
    common = {"LoginName": "alice@example.test", "DomainRequired": "off", "SPA": "off", "AuthRequired": "on"}
    tls = {"SSL": "on", "Encryption": "SSL"}
    cas, hub = {"Server": "cas1.example.test"}, {"Server": "hub1.example.test"}
    assert told == [
        {"Type": "IMAP", "Port": "993", **cas, **common, **tls},
        {"Type": "POP3", "Port": "995", **cas, **common, **tls},
        {"Type": "SMTP", "Port": "465", **hub, **common, **tls, "UsePOPAuth": "on", "SMTPLast": "off"},
    ]


def test_exchange_web_services_are_told_where_they_run() -> None:
    url = "https://cas1.example.test/EWS/Exchange.asmx"
    urls = {"ASUrl": url, "EwsUrl": url, "OOFUrl": url}
    for mechanisms, package in (
        ((Mechanism.KERBEROS, Mechanism.BASIC), "Kerb"),
        ((Mechanism.NTLM, Mechanism.KERBEROS), "KerbNtlm"),
        ((Mechanism.NTLM,), "Ntlm"),
        ((Mechanism.BASIC,), "Basic"),
    ):
        known = replace(services("availability"), imap=(), pop3=(), smtp=(), ews_mechanisms=mechanisms)
        account = pox_answer(question("alice@example.test"), application(known)).find(
            outlook("Response"), outlook("Account")
        )
        assert account is not None
        told = [{field.local: field.text for field in part.elements} for part in account.find_all(outlook("Protocol"))]
        assert told == [
            {"Type": "EXCH", "ServerVersion": "73C0834F", **urls},
            {"Type": "EXPR", "Server": "cas1.example.test", "SSL": "On", "AuthPackage": package, **urls},
        ]
    whole = pox_answer(question("alice@example.test"), application(services("availability", "imap4", "pop3")))
    account = whole.find(outlook("Response"), outlook("Account"))
    assert account is not None
    types = [part.text_of(outlook("Type")) for part in account.find_all(outlook("Protocol"))]
    assert types[:2] == ["EXCH", "EXPR"] and "IMAP" in types[2:]
    assert services("availability").ews_mechanisms == (Mechanism.KERBEROS, Mechanism.BASIC)
    asked = ["ExternalEwsUrl", "InternalEwsUrl", "EwsSupportedSchemas", "CasVersion"]
    answer = soap_answer(get_user_settings(["alice@example.test"], asked), application(services("availability")))
    responses = answer.find(own("UserResponses"))
    assert responses is not None
    settings = responses.elements[0].find(own("UserSettings"))
    assert settings is not None
    values = {each.text_of(own("Name")): each.text_of(own("Value")) for each in settings.elements}
    schemas = values.pop("EwsSupportedSchemas").split(", ")
    assert values == {"ExternalEwsUrl": url, "InternalEwsUrl": url, "CasVersion": "15.00.0847.032"}
    assert schemas[0] == "Exchange2007" and schemas[-1] == "Exchange2013_SP1"
    of_domain = get_domain_settings(["example.test"], ["ExternalEwsUrl", "ExternalEwsVersion", "Other"])
    responses = soap_answer(of_domain, application(services("availability"))).find(own("DomainResponses"))
    assert responses is not None
    settings = responses.elements[0].find(own("DomainSettings"))
    assert settings is not None
    assert {each.text_of(own("Name")): each.text_of(own("Value")) for each in settings.elements} == {
        "ExternalEwsUrl": url,
        "ExternalEwsVersion": "15.00.0847.032",
    }
    assert {each.attributes[TYPE] for each in settings.elements} == {"DomainStringSetting"}


def test_tls_by_a_command_and_secure_passwords_are_told() -> None:
    port = replace(services().imap[0], port=143, tls=Tls.UPGRADE, mechanisms=(Mechanism.NTLM,))
    known = replace(services(), imap=(port,), pop3=(), smtp=())
    text = ask(application(known).answer_pox, "POST", "/", question("alice@example.test"), caller=identity(ALICE)).text
    assert "<SPA>on</SPA><SSL>off</SSL><Encryption>TLS</Encryption>" in text
    assert "POP3" not in text and "SMTPLast" not in text
    assert error_of(
        pox_answer(question("alice@example.test"), application(replace(services(), imap=(), pop3=(), smtp=())))
    ) == ("602", "Bad Address")


def test_an_alias_is_the_caller_s_own_mailbox() -> None:
    root = pox_answer(question("A.Liddell@xn--vf4b131b.test"))
    assert root.find(outlook("Response"), outlook("Account"))


@pytest.mark.parametrize(
    "address",
    ["bob@example.test", "nobody@example.test", "admin@example.test", "x", "a@" * 5_000 + "b", "*)(mail=*"],
)
def test_another_mailbox_is_answered_as_one_that_does_not_exist(address: str) -> None:
    assert error_of(pox_answer(question(address))) == ("500", "The email address can't be found.")


def test_a_caller_without_a_mailbox_learns_nothing() -> None:
    for caller in (identity(user("admin")), identity(user("removed")), NOBODY):
        assert error_of(pox_answer(question("alice@example.test"), caller=caller))[0] == "500"
        assert error_of(pox_answer(question("gone@example.test"), caller=caller))[0] == "500"


def test_a_contact_redirects_to_its_address() -> None:
    root = pox_answer(question("gone@example.test"))
    account = root.find(outlook("Response"), outlook("Account"))
    assert account is not None
    assert [(child.local, child.text) for child in account.elements] == [
        ("AccountType", "email"),
        ("Action", "redirectAddr"),
        ("RedirectAddr", "gone@other.test"),
    ]


def test_a_phone_gets_its_server_where_activesync_runs() -> None:
    asked = question("alice@example.test", MOBILE, "mobilesync")
    assert error_of(pox_answer(asked)) == ("601", "Provider is not available")
    root = pox_answer(asked, application(services("activesync")))
    server = root.find(mobile("Response"), mobile("Action"), mobile("Settings"), mobile("Server"))
    assert (
        server is not None and root.text_of(mobile("Response"), mobile("User"), mobile("EMailAddress")) == ALICE.primary
    )
    assert server.text_of(mobile("Type")) == "MobileSync"
    assert server.text_of(mobile("Url")) == "https://cas1.example.test/Microsoft-Server-ActiveSync"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "600"),
        (b"no xml", "600"),
        (b"<Autodiscover/>", "600"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + question("alice@example.test").partition(b"?>")[2], "600"),
        (question("", OUTLOOK), "600"),
        (question("alice@example.test", ""), "600"),
        (question("alice@example.test", OUTLOOK, "another"), "600"),
        (question("alice@example.test", BASE + "another/responseschema/2006"), "601"),
        (question("").replace(b"<EMailAddress></EMailAddress>", b"<LegacyDN>/o=a/cn=b</LegacyDN>"), "500"),
        (b" " * 70_000, "600"),
    ],
)
def test_each_wrong_request_has_its_error(content: bytes, code: str) -> None:
    assert error_of(pox_answer(content))[0] == code


def test_a_request_without_a_body_is_an_invalid_one() -> None:
    response = ask(application().answer_pox, "GET", "/autodiscover/autodiscover.xml", caller=identity(ALICE))
    assert response.status_code == 200 and error_of(xml.read(response.content)) == ("600", "Invalid Request")


def test_a_directory_that_does_not_answer_is_no_missing_mailbox() -> None:
    book = directory()
    book.down = 2
    app = application(book=book)
    response = ask(app.answer_pox, "POST", "/", question("alice@example.test"), caller=identity(ALICE))
    assert response.status_code == 503 and response.headers["retry-after"] == "5"
    answer = soap_answer(get_user_settings(["alice@example.test"], ["UserDisplayName"]), app)
    assert answer.text_of(own("ErrorCode")) == "ServerBusy"


def own(name: str) -> str:
    return f"{{{SERVICE}}}{name}"


def envelope(operation: str, request: str, version: str = "Exchange2016") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ENVELOPE}" xmlns:a="{SERVICE}"><s:Header>'
        f"<a:RequestedServerVersion>{version}</a:RequestedServerVersion></s:Header><s:Body>"
        f"<a:{operation}RequestMessage><a:Request>{request}</a:Request></a:{operation}RequestMessage>"
        "</s:Body></s:Envelope>"
    ).encode()


def wanted(names: list[str]) -> str:
    return f"<a:RequestedSettings>{''.join(f'<a:Setting>{name}</a:Setting>' for name in names)}</a:RequestedSettings>"


def get_user_settings(addresses: list[str], settings: list[str], version: str = "Exchange2016") -> bytes:
    users = "".join(f"<a:User><a:Mailbox>{xml.text(address)}</a:Mailbox></a:User>" for address in addresses)
    return envelope("GetUserSettings", f"<a:Users>{users}</a:Users>{wanted(settings)}", version)


def get_domain_settings(domains: list[str], settings: list[str]) -> bytes:
    named = "".join(f"<a:Domain>{domain}</a:Domain>" for domain in domains)
    return envelope("GetDomainSettings", f"<a:Domains>{named}</a:Domains>{wanted(settings)}")


def soap_response(content: bytes, app: Autodiscover | None = None) -> httpx.Response:
    served = (app or application()).answer_soap
    return ask(served, "POST", "/autodiscover/autodiscover.svc", content, caller=identity(ALICE))


def soap_answer(content: bytes, app: Autodiscover | None = None) -> xml.Element:
    response = soap_response(content, app)
    assert response.status_code == 200 and response.headers["content-type"] == "text/xml; charset=utf-8"
    root = xml.read(response.content)
    header = root.find(f"{{{ENVELOPE}}}Header", own("ServerVersionInfo"))
    body = root.find(f"{{{ENVELOPE}}}Body")
    assert header is not None and header.text_of(own("MajorVersion")) == "14" and body is not None
    (message,) = body.elements
    answer = message.find(own("Response"))
    assert message.local.endswith("ResponseMessage") and answer is not None
    return answer


def test_settings_of_a_user_are_there_or_say_why_not() -> None:
    asked = ["UserDisplayName", "ExternalImap4Connections", "ExternalEwsUrl", "NoSuchSetting"]
    answer = soap_answer(get_user_settings(["alice@example.test", "bob@example.test", "gone@example.test"], asked))
    assert answer.text_of(own("ErrorCode")) == "NoError"
    responses = answer.find(own("UserResponses"))
    assert responses is not None
    alice, bob, gone = responses.elements
    assert alice.text_of(own("ErrorCode")) == "NoError"
    values, errors = alice.find(own("UserSettings")), alice.find(own("UserSettingErrors"))
    assert values is not None and errors is not None
    name, imap = values.elements
    assert (name.attributes[TYPE], name.text_of(own("Value"))) == ("StringSetting", "Alice <A>")
    assert imap.attributes[TYPE] == "ProtocolConnectionCollectionSetting"
    ports = imap.find(own("ProtocolConnections"))
    assert ports is not None and [[field.text for field in port.elements] for port in ports.elements] == [
        ["SSL", "cas1.example.test", "993"],
        ["TLS", "cas1.example.test", "143"],
    ]
    assert [(e.text_of(own("SettingName")), e.text_of(own("ErrorCode"))) for e in errors.elements] == [
        ("ExternalEwsUrl", "SettingIsNotAvailable"),
        ("NoSuchSetting", "InvalidSetting"),
    ]
    assert bob.text_of(own("ErrorCode")) == "InvalidUser" and "example.test" not in bob.text_of(own("ErrorMessage"))
    assert (gone.text_of(own("ErrorCode")), gone.text_of(own("RedirectTarget"))) == (
        "RedirectAddress",
        "gone@other.test",
    )


def test_another_user_and_none_are_answered_alike() -> None:
    def of(address: str) -> bytes:
        return soap_response(get_user_settings([address], ["UserDisplayName"])).content

    assert of("bob@example.test") == of("nobody@example.test") == of("admin@example.test")


def test_settings_of_a_domain() -> None:
    answer = soap_answer(get_domain_settings(["Example.test", "other.test", "회사.test"], ["ExternalEwsUrl", "Other"]))
    responses = answer.find(own("DomainResponses"))
    assert responses is not None
    mine, other, letters = responses.elements
    assert [each.text_of(own("ErrorCode")) for each in (mine, other, letters)] == [
        "NoError",
        "InvalidDomain",
        "NoError",
    ]
    errors = mine.find(own("DomainSettingErrors"))
    assert errors is not None
    assert [error.text_of(own("ErrorCode")) for error in errors.elements] == ["SettingIsNotAvailable", "InvalidSetting"]


@pytest.mark.parametrize(
    "content",
    [
        get_user_settings(["alice@example.test"], ["UserDisplayName"], version=""),
        get_user_settings(["alice@example.test"], ["UserDisplayName"], version="Exchange2007<!-- x -->_SPx"),
        get_user_settings([], ["UserDisplayName"]),
        get_user_settings([""], ["UserDisplayName"]),
        get_user_settings(["alice@example.test"], []),
        get_user_settings(["alice@example.test"] * 91, ["UserDisplayName"]),
        get_user_settings(["alice@example.test"], [f"s{number}" for number in range(101)]),
        get_domain_settings([], ["ExternalEwsUrl"]),
        envelope("GetUserSettings", ""),
    ],
)
def test_an_invalid_request_is_said_to_be_one(content: bytes) -> None:
    answer = soap_answer(content)
    assert answer.text_of(own("ErrorCode")) == "InvalidRequest"
    assert not answer.elements[-1].children


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a/>",
        envelope("GetFederationInformation", "<a:Domain>example.test</a:Domain>"),
        get_user_settings(["a@b.test"], ["UserDN"]).replace(
            ENVELOPE.encode(), b"http://www.w3.org/2003/05/soap-envelope"
        ),
        b"<!DOCTYPE a>" + get_user_settings(["a@b.test"], ["UserDN"]).partition(b"?>")[2],
    ],
)
def test_what_is_no_operation_of_the_service_is_a_fault(content: bytes) -> None:
    response = soap_response(content)
    root = xml.read(response.content)
    assert response.status_code == 500
    assert root.text_of(f"{{{ENVELOPE}}}Body", f"{{{ENVELOPE}}}Fault", "faultcode") == "s:Client"


@given(st.binary(max_size=200), st.text(max_size=80))
def test_whatever_is_asked_has_an_answer_that_can_be_read(content: bytes, address: str) -> None:
    for body in (content, question(address)):
        read = pox.read(body)
        if isinstance(read, pox.Question):
            for answer in (pox.settings(read, replace(BOB, display_name=address), services()), pox.redirect(address)):
                assert isinstance(answer, bytes) and xml.read(answer)
    for body in (content, get_user_settings([address], [address, "UserDN"]), get_domain_settings(["a"], ["b"])):
        asked = soap.read(body)
        if isinstance(asked, soap.Question):
            assert xml.read(soap.user_settings(asked, dict.fromkeys(asked.named, BOB), services()))
            assert xml.read(soap.user_settings(asked, dict.fromkeys(asked.named, address), services()))
            assert xml.read(soap.domain_settings(asked, services("availability")))
