"""Autodiscover as plain XML (MS-OXDSCLI): what a request asks for, and the answers to it.

Pure: `read` makes a Question of a request's body, and the writers make bodies. The schema `outlook` is of mail programs, the
schema `mobilesync` of phones (MS-ASCMD section 2.2.1.1).
"""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from postern.model.directory import Recipient
from postern.model.security import Mechanism
from postern.paths.row import Tls
from postern.protocols import xml
from postern.protocols.ews.versions import SERVER_INFO
from postern.services.autodiscover.client_services import ClientServices, MailService

CONTENT_TYPE = "text/xml; charset=utf-8"
BOUNDS = xml.Bounds(octets=65_536, depth=8, elements=100, attributes=100)
_BASE = "http://schemas.microsoft.com/exchange/autodiscover/"
_ANSWER = _BASE + "responseschema/2006"
_OUTLOOK = _BASE + "outlook/responseschema/2006a"
_MOBILE = _BASE + "mobilesync/responseschema/2006"
_REQUESTS = frozenset({_BASE + "outlook/requestschema/2006", _BASE + "mobilesync/requestschema/2006"})
ENCRYPTIONS = {Tls.IMPLICIT: "SSL", Tls.UPGRADE: "TLS", Tls.NONE: "None"}
"""The element Encryption, which goes before the element SSL; TLS is by a command (MS-OXDSCLI section 2.2.4.1.1). The settings of
SOAP have the same words."""


_BUILD = [int(number) for number in SERVER_INFO.values()]
SERVER_VERSION = f"{0x7 << 28 | _BUILD[0] << 22 | _BUILD[1] << 16 | 1 << 15 | _BUILD[2]:08X}"
"""The build of Exchange whose web services are here, as MS-OXDSCLI section 2.2.4.1.1.2 writes it: "73C0834F" for 15.0.847."""


class PoxError(Enum):
    """Errors of MS-OXDSCLI section 2.2.4.1.1.3, with the sentences of Exchange, which clients compare."""

    NOT_FOUND = 500, "The email address can't be found."
    INVALID_REQUEST = 600, "Invalid Request"
    NO_PROVIDER = 601, "Provider is not available"
    BAD_CONFIGURATION = 602, "Bad Address"


@dataclass(frozen=True, slots=True)
class Question:
    """A request: the address that it is about, and whether a phone sent it."""

    address: str
    mobile: bool


def read(body: bytes, charset: str = "") -> Question | PoxError:
    """Reads a request's body, or says what is wrong with it.

    Bound: linear; at most 65,536 octets, 100 elements and 100 attributes.
    """
    try:
        root = xml.read(body, BOUNDS, charset)
    except xml.XmlError:
        return PoxError.INVALID_REQUEST
    space = root.namespace
    request = root.find(f"{{{space}}}Request")
    if space not in _REQUESTS or root.local != "Autodiscover" or request is None:
        return PoxError.INVALID_REQUEST
    wanted = request.text_of(f"{{{space}}}AcceptableResponseSchema")
    if wanted not in (_OUTLOOK, _MOBILE):
        return PoxError.NO_PROVIDER if wanted else PoxError.INVALID_REQUEST
    address = request.text_of(f"{{{space}}}EMailAddress")
    if not address:
        # Outlook may name a mailbox by its LegacyDN instead, and no mailbox of ours has one.
        legacy = request.text_of(f"{{{space}}}LegacyDN")
        return PoxError.NOT_FOUND if legacy else PoxError.INVALID_REQUEST
    return Question(address, wanted == _MOBILE)


def settings(question: Question, mailbox: Recipient, services: ClientServices) -> bytes | PoxError:
    """The settings of a mailbox, of those services that run; an error where none does that the client can use."""
    if question.mobile:
        return _mobile(mailbox, services) if services.activesync else PoxError.NO_PROVIDER
    # Exchange's own come first: Thunderbird writes what it reads of EXCH over what came before, and IMAP was lost.
    protocols = _web_services(services) if services.ews else []
    protocols += [
        _protocol(kind, ports[0], mailbox)
        for kind, ports in (("IMAP", services.imap), ("POP3", services.pop3), ("SMTP", services.smtp))
        if ports
    ]
    if not protocols:
        return PoxError.BAD_CONFIGURATION
    account = f"{_elements((('AccountType', 'email'), ('Action', 'settings')))}{''.join(protocols)}"
    return _outlook(f"{_user(mailbox)}<Account>{account}</Account>")


def redirect(address: str) -> bytes:
    """The answer that sends a client to another address (MS-OXDSCLI section 2.2.4.1.1)."""
    elements = _elements((("AccountType", "email"), ("Action", "redirectAddr"), ("RedirectAddr", address)))
    return _outlook(f"<Account>{elements}</Account>")


def failure(error: PoxError, host: str, now: float) -> bytes:
    """The answer that says what is wrong. `host` is the server's name, of which the answer shows a hash; `now` is in seconds
    since 1970."""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%H:%M:%S.%f")
    code, message = error.value
    return _document(
        f'<Response><Error Time="{moment}" Id="{zlib.crc32(host.encode())}">'
        f"{_elements((('ErrorCode', str(code)), ('Message', message)))}<DebugData/></Error></Response>"
    )


def _protocol(kind: str, service: MailService, mailbox: Recipient) -> str:
    """One Protocol element (MS-OXDSCLI section 2.2.4.1.1)."""
    secure = Mechanism.BASIC not in service.mechanisms
    fields = [
        ("Type", kind),
        ("Server", service.host),
        ("Port", str(service.port)),
        ("LoginName", mailbox.primary),
        ("DomainRequired", "off"),
        ("SPA", "on" if secure else "off"),
        ("SSL", "on" if service.tls is Tls.IMPLICIT else "off"),
        ("Encryption", ENCRYPTIONS[service.tls]),
        ("AuthRequired", "on"),
    ]
    if kind == "SMTP":
        fields += [("UsePOPAuth", "on"), ("SMTPLast", "off")]
    return f"<Protocol>{_elements(fields)}</Protocol>"


def _web_services(services: ClientServices) -> list[str]:
    """The Protocol elements of Exchange Web Services (MS-OXDSCLI section 2.2.4.1.1.2): clients take EXCH inside of the
    organization and EXPR outside. Both have URLs alone, and no server for MAPI."""
    host = urlsplit(services.ews).hostname or ""
    urls = [("ASUrl", services.ews), ("EwsUrl", services.ews), ("OOFUrl", services.ews)]
    inside = [("Type", "EXCH"), ("ServerVersion", SERVER_VERSION), *urls]
    outside = [("Type", "EXPR"), ("Server", host), ("SSL", "On"), ("AuthPackage", _auth_package(services)), *urls]
    return [f"<Protocol>{_elements(fields)}</Protocol>" for fields in (inside, outside)]


def _auth_package(services: ClientServices) -> str:
    """The mechanisms in the words of MS-OXDSCLI section 2.2.4.1.1.2.1."""
    has_kerberos, has_ntlm = (each in services.ews_mechanisms for each in (Mechanism.KERBEROS, Mechanism.NTLM))
    if has_kerberos and has_ntlm:
        return "KerbNtlm"
    return "Kerb" if has_kerberos else "Ntlm" if has_ntlm else "Basic"


def _user(mailbox: Recipient) -> str:
    fields = (("DisplayName", mailbox.display_name), ("AutoDiscoverSMTPAddress", mailbox.primary))
    return f"<User>{_elements(fields)}</User>"


def _mobile(mailbox: Recipient, services: ClientServices) -> bytes:
    """The server for ActiveSync (MS-ASCMD section 2.2.1.1)."""
    user = _elements((("DisplayName", mailbox.display_name), ("EMailAddress", mailbox.primary)))
    server = _elements((("Type", "MobileSync"), ("Url", services.activesync), ("Name", services.activesync)))
    return _document(
        f'<Response xmlns="{_MOBILE}"><Culture>en:us</Culture><User>{user}</User>'
        f"<Action><Settings><Server>{server}</Server></Settings></Action></Response>"
    )


def _outlook(content: str) -> bytes:
    return _document(f'<Response xmlns="{_OUTLOOK}">{content}</Response>')


def _document(content: str) -> bytes:
    return f'{xml.DECLARATION}<Autodiscover xmlns="{_ANSWER}">{content}</Autodiscover>'.encode()


def _elements(fields: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{xml.text(value)}</{name}>" for name, value in fields)
