"""Envelopes of requests and answers (SOAP 1.1, MS-OXWSCDATA section 2.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import BACK_OFF, values_markup
from postern.protocols.ews.names import DECLARATIONS, ERRORS, MESSAGES, SOAP, TYPES, t
from postern.protocols.ews.versions import NEWEST, SERVER_INFO, Version, version_of

_SPACES = frozenset({TYPES, MESSAGES})
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
    """Reads an envelope. Raises Fault: ErrorSchemaValidation for what is none, ErrorInvalidServerVersion for a version that is
    not here. Without a version, it is a request of 2007 (MS-OXWSCDATA section 2.2.3.10).

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
    # A client that does not escape HTML sends elements of it. The text in them would be lost without a word.
    foreign = next((each for each in bodies[0].walk() if each.namespace not in _SPACES), None)
    if foreign is not None:
        raise Fault(
            Code.SCHEMA_VALIDATION, f"The request failed schema validation: {foreign.local[:80]} is not in the schema."
        )
    header = root.find(f"{{{SOAP}}}Header")
    return Request(bodies[0].local, bodies[0], _header(header) if header is not None else Header())


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
    text = xml.text(str(fault))
    # Clients find this in the namespace of types, other than in response messages.
    values = f'<t:MessageXml xmlns:t="{TYPES}">{values_markup(fault.values)}</t:MessageXml>' if fault.values else ""
    return (
        f"{opening()}<s:Fault>"
        f'<faultcode xmlns:a="{TYPES}">a:{fault.code}</faultcode><faultstring xml:lang="en-US">{text}</faultstring>'
        f'<detail><e:ResponseCode xmlns:e="{ERRORS}">{fault.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{ERRORS}">{text}</e:Message>{values}</detail></s:Fault>{CLOSING}'
    ).encode()
