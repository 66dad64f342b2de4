"""Envelopes of requests and answers.

covers: names, versions, codes, errors
"""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from postern.protocols.ews import envelope
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, Fault, Impersonated, opening, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES, boolean, element, is_true, m, number, value
from postern.protocols.ews.versions import Version, version_of


def soap(body: str, header: str = "") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


SHAPE = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
GET = f"<m:GetItem>{SHAPE}<m:ItemIds/></m:GetItem>"


def test_a_request_names_its_operation_and_its_version() -> None:
    request = envelope.read(soap(GET, '<t:RequestServerVersion Version="Exchange2010_SP2"/>'))
    assert (request.operation, request.body.name, request.header.version) == (
        "GetItem",
        m("GetItem"),
        Version.V2010_SP2,
    )
    assert envelope.read(soap(GET)).header.version is Version.V2007
    assert [version_of(version.label) for version in Version] == list(Version)
    assert version_of("Exchange2012") is Version.V2013 and version_of("Exchange2019") is None


def test_the_header_names_who_acts_and_where() -> None:
    header = (
        "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress> bob@example.test </t:PrimarySmtpAddress>"
        "</t:ConnectingSID></t:ExchangeImpersonation><t:MailboxCulture>ko-KR</t:MailboxCulture>"
        '<t:TimeZoneContext><t:TimeZoneDefinition Id="Korea Standard Time"/></t:TimeZoneContext>'
    )
    said = envelope.read(soap(GET, header)).header
    assert said.impersonated == Impersonated("PrimarySmtpAddress", "bob@example.test") and said.culture == "ko-KR"
    assert said.zone is not None and said.zone.attributes == {"Id": "Korea Standard Time"}


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", Code.SCHEMA_VALIDATION),
        (b"<a", Code.SCHEMA_VALIDATION),
        (b"<!DOCTYPE a><a/>", Code.SCHEMA_VALIDATION),
        (b"<a/>", Code.SCHEMA_VALIDATION),
        (soap(""), Code.SCHEMA_VALIDATION),
        (soap("<m:GetItem/><m:GetItem/>"), Code.SCHEMA_VALIDATION),
        (soap("<t:GetItem/>"), Code.SCHEMA_VALIDATION),
        (soap("<m:CreateItem><t:Body><p>unescaped</p></t:Body></m:CreateItem>"), Code.SCHEMA_VALIDATION),
        (soap("<m:GetItem/>", '<t:RequestServerVersion Version="Exchange1997"/>'), Code.INVALID_SERVER_VERSION),
        (
            soap("<m:GetItem/>", "<t:ExchangeImpersonation><t:ConnectingSID/></t:ExchangeImpersonation>"),
            Code.INVALID_EXCHANGE_IMPERSONATION_HEADER_DATA,
        ),
    ],
)
def test_what_is_no_request_is_a_fault(octets: bytes, code: Code) -> None:
    with pytest.raises(Fault) as raised:
        envelope.read(octets)
    assert raised.value.code is code
    root = ElementTree.fromstring(envelope.fault(raised.value))
    assert root.findtext(f".//{{{envelope.ERRORS}}}ResponseCode") == code
    info = root.find(f".//{{{TYPES}}}ServerVersionInfo")
    assert info is not None and info.attrib["Version"] == "Exchange2013_SP1"


def test_what_the_schema_has_not_is_told_with_its_place() -> None:
    # exchangelib shows it from here.
    octets = soap(f"\n<m:GetItem>{SHAPE}<t:Mine/></m:GetItem>")
    with pytest.raises(Fault) as raised:
        envelope.read(octets)
    root = ElementTree.fromstring(envelope.fault(raised.value))
    detail = f".//detail/{{{TYPES}}}MessageXml/{{{TYPES}}}"
    assert root.findtext(f"{detail}LineNumber") == "2"
    column = octets.split(b"\n")[1].index(b"t:Mine") + 1
    assert root.findtext(f"{detail}LinePosition") == str(column)
    violation = root.findtext(f"{detail}Violation", "")
    assert "'GetItem'" in violation and "'Mine'" in violation
    assert root.findtext(f".//{{{envelope.ERRORS}}}Message") == Code.SCHEMA_VALIDATION.text
    assert root.findtext(".//faultstring") == f"The request failed schema validation: {violation}"


def test_headers_that_are_unknown_are_passed_over() -> None:
    unknown = "<t:OpenAsAdminOrSystemService/><o:trace xmlns:o='urn:other'>x</o:trace>"
    assert envelope.read(soap(GET, unknown)).operation == "GetItem"


def test_an_answer_is_well_formed_and_escaped() -> None:
    error = EwsError(Code.SERVER_BUSY, "a < b", {"BackOffMilliseconds": "5"}, element("t:FieldURI", FieldURI='"x"'))
    inner = (
        value("t:A", "<&\x00") + boolean("t:B", True) + number("t:C", 3) + f"<m:D>{error.markup}</m:D>" + element("t:E")
    )
    root = ElementTree.fromstring(opening() + start_tag("GetItemResponse") + inner + f"</m:GetItemResponse>{CLOSING}")
    body = root.find(f".//{{{MESSAGES}}}GetItemResponse")
    assert body is not None
    assert [(child.tag.rpartition("}")[2], child.text) for child in body] == [
        ("A", "<&\ufffd"),
        ("B", "true"),
        ("C", "3"),
        ("D", None),
        ("E", None),
    ]
    assert body.findtext(f".//{{{MESSAGES}}}MessageText") == "a < b"
    assert [is_true(text) for text in ("true", " 1 ", "false", "", "TRUE")] == [True, True, False, False, False]


def test_every_code_has_words_and_a_name_of_its_own() -> None:
    assert all(code.text.endswith(".") for code in Code)
    assert len({str(code) for code in Code}) == len(Code)


def test_a_fault_of_a_busy_server_says_for_how_long() -> None:
    # exchangelib and DavMail look for it in the namespace of types (mguessan/davmail#161).
    path = f".//detail/{{{TYPES}}}MessageXml/{{{TYPES}}}Value[@Name='BackOffMilliseconds']"
    told = ElementTree.fromstring(envelope.fault(Fault(Code.SERVER_BUSY)))
    assert told.findtext(path) == "5000"
    told = ElementTree.fromstring(envelope.fault(Fault(Code.SERVER_BUSY, values={"BackOffMilliseconds": "7"})))
    assert told.findtext(path) == "7"
    assert b"MessageXml" not in envelope.fault(Fault(Code.INVALID_REQUEST))
