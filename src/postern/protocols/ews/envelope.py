"""Envelopes of requests and answers (SOAP 1.1, MS-OXWSCDATA section 2.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import BACK_OFF, values_markup
from postern.protocols.ews.names import DECLARATIONS, ERRORS, MESSAGES, SOAP, TYPES, number, t, value
from postern.protocols.ews.validation import Violation, violation_of
from postern.protocols.ews.versions import NEWEST, SERVER_INFO, Version, version_of

CONTENT_TYPE = "text/xml; charset=utf-8"
MAX_OCTETS = 48 << 20
"""Octets of a request: an attachment of 25 MB in base64, and room beside it."""
BOUNDS = xml.Bounds(octets=MAX_OCTETS, depth=64, elements=200_000, attributes=200_000, value=65_536)


class Fault(Exception):
    """A request that gets a SOAP fault, and no answer of an operation (MS-OXWSCDATA section 2.2.4.22). `values` are those of
    its MessageXml; a server that is busy always says there for how long."""

    def __init__(self, code: Code, text: str = "", values: Mapping[str, str] | None = None) -> None:
        super().__init__(text or code.text)
        self.code = code
        self.values = values or (BACK_OFF if code is Code.SERVER_BUSY else {})


class Invalid(Fault):
    """A request that is not as the schema has it. Its MessageXml says what is wrong and where, as that of Exchange does:
    exchangelib shows it to its user."""

    def __init__(self, wrong: Violation, where: xml.Position) -> None:
        super().__init__(Code.SCHEMA_VALIDATION, f"The request failed schema validation: {wrong.text}")
        self.violation = wrong.text
        self.where = where


@dataclass(frozen=True, slots=True)
class Impersonated:
    """The user in whose place the caller wants to act (MS-OXWSCDATA section 2.2.3.3). `kind` is the name of the element that
    names the user ("PrimarySmtpAddress", "PrincipalName", "SID", "SmtpAddress")."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a request. `zone` is the TimeZoneContext's definition, `culture` the MailboxCulture.
    `is_proxied`: a server of another organization asks."""

    version: Version = Version.V2007
    impersonated: Impersonated | None = None
    zone: xml.Element | None = None
    culture: str = ""
    is_proxied: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `operation` is the name without its namespace, `body` the element in the SOAP body."""

    operation: str
    body: xml.Element
    header: Header


def read(octets: bytes, charset: str = "") -> Request:
    """Reads an envelope. Raises Fault: ErrorSchemaValidation for what is none and for what the schema has not,
    ErrorInvalidServerVersion for a version that is not here. Without a version, it is a request of 2007 (MS-OXWSCDATA section
    2.2.3.10).

    Bound: linear in the octets; at most MAX_OCTETS, 200,000 elements and as many attributes.
    """
    try:
        root = xml.read(octets, BOUNDS, charset)
    except xml.XmlError as error:
        raise Fault(Code.SCHEMA_VALIDATION, f"The request failed schema validation: {error}.") from None
    content = root.find(f"{{{SOAP}}}Body") if root.name == f"{{{SOAP}}}Envelope" else None
    bodies = content.elements if content is not None else []
    if len(bodies) != 1 or bodies[0].namespace != MESSAGES:
        raise Fault(Code.SCHEMA_VALIDATION, "The request failed schema validation: the body holds no operation.")
    header = root.find(f"{{{SOAP}}}Header")
    read = _header(header) if header is not None else Header()
    wrong = violation_of(bodies[0])
    if wrong is not None:
        raise Invalid(wrong, _where(octets, charset, root, wrong))
    return Request(bodies[0].local, bodies[0], read)


def _where(octets: bytes, charset: str, root: xml.Element, wrong: Violation) -> xml.Position:
    number = next(number for number, each in enumerate(root.walk()) if each is wrong.element)
    return xml.position(octets, number, charset)


def _header(header: xml.Element) -> Header:
    version = Version.V2007
    asked = header.find(t("RequestServerVersion"))
    if asked is not None:
        named = version_of(asked.attributes.get("Version", Version.V2007.label))
        if named is None:
            raise Fault(Code.INVALID_SERVER_VERSION)
        version = named
    impersonated = None
    connecting = header.find(t("ExchangeImpersonation"), t("ConnectingSID"))
    if connecting is not None:
        if len(connecting.elements) != 1:
            raise Fault(Code.INVALID_EXCHANGE_IMPERSONATION_HEADER_DATA)
        person = connecting.elements[0]
        impersonated = Impersonated(person.local, person.text.strip())
    context = header.find(t("TimeZoneContext"), t("TimeZoneDefinition"))
    # A server asks for its users, who are in another organization (MS-OXWAVLS).
    is_proxied = header.text_of(t("RequestTypeHeader"), t("RequestType")) == "CrossForest"
    return Header(version, impersonated, context, header.text_of(t("MailboxCulture")), is_proxied)


def opening() -> str:
    """The beginning of an answer, up to what is in the SOAP body. It names the newest version that is here, whatever the request
    named (MS-OXWSCDATA section 2.2.3.12): Evolution asks under Exchange2007_SP1 at first, and from then on under this one."""
    info = "".join([f' {name}="{number}"' for name, number in SERVER_INFO.items()])
    return (
        f'{xml.DECLARATION.rstrip()}<s:Envelope xmlns:s="{SOAP}"><s:Header>'
        f'<h:ServerVersionInfo{info} Version="{NEWEST.label}" xmlns:h="{TYPES}"/></s:Header><s:Body>'
    )


CLOSING = "</s:Body></s:Envelope>"


def start_tag(name: str) -> str:
    """The start tag of the element in the SOAP body: "GetItemResponse" in the namespace of messages."""
    return f"<m:{name}{DECLARATIONS}>"


def fault(fault: Fault) -> bytes:
    """The envelope of a fault; HTTP's status with it is 500 (SOAP 1.1 section 6.2)."""
    text = message = xml.text(str(fault))
    inner = values_markup(fault.values)
    if isinstance(fault, Invalid):
        message = xml.text(fault.code.text)
        inner = (
            number("t:LineNumber", fault.where.line)
            + number("t:LinePosition", fault.where.column)
            + value("t:Violation", fault.violation)
        )
    # Clients find this in the namespace of types, other than in response messages.
    values = f'<t:MessageXml xmlns:t="{TYPES}">{inner}</t:MessageXml>' if inner else ""
    return (
        f"{opening()}<s:Fault>"
        f'<faultcode xmlns:a="{TYPES}">a:{fault.code}</faultcode><faultstring xml:lang="en-US">{text}</faultstring>'
        f'<detail><e:ResponseCode xmlns:e="{ERRORS}">{fault.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{ERRORS}">{message}</e:Message>{values}</detail></s:Fault>{CLOSING}'
    ).encode()
