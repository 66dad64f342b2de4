"""Autodiscover as a SOAP service (MS-OXWSADISC): GetUserSettings and GetDomainSettings.

Pure: `read` makes a Question of a request's body, and the writers make bodies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from postern.model.directory import Recipient
from postern.model.domains import a_labels
from postern.protocols import xml
from postern.protocols.ews.versions import SERVER_INFO, Version
from postern.services.autodiscover.client_services import ClientServices, MailService
from postern.services.autodiscover.pox import ENCRYPTIONS

CONTENT_TYPE = "text/xml; charset=utf-8"
BOUNDS = xml.Bounds(octets=65_536, depth=10, elements=1_000, attributes=200)
MAX_NAMED = 90
"""Users or domains of one request. Exchange's own default."""
MAX_SETTINGS = 100
"""Settings of one request; there are fewer."""
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_AUTODISCOVER = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_VERSION = re.compile(r"Exchange20\d\d(_SP\d)?")


class Operation(StrEnum):
    USER_SETTINGS = "GetUserSettings"
    DOMAIN_SETTINGS = "GetDomainSettings"


class Code(StrEnum):
    """Values of ErrorCode (MS-OXWSADISC)."""

    NO_ERROR = "NoError"
    REDIRECT_ADDRESS = "RedirectAddress"
    INVALID_USER = "InvalidUser"
    INVALID_REQUEST = "InvalidRequest"
    INVALID_SETTING = "InvalidSetting"
    NOT_AVAILABLE = "SettingIsNotAvailable"
    SERVER_BUSY = "ServerBusy"
    INVALID_DOMAIN = "InvalidDomain"


_WORDS = {
    Code.NO_ERROR: "",
    Code.REDIRECT_ADDRESS: "The mailbox is at another address.",
    Code.INVALID_USER: "The user does not exist, or is not the caller.",
    Code.INVALID_REQUEST: "The request is not valid.",
    Code.INVALID_SETTING: "The setting does not exist.",
    Code.NOT_AVAILABLE: "The setting is not available.",
    Code.SERVER_BUSY: "The directory does not answer now.",
    Code.INVALID_DOMAIN: "The domain is not one of this organization.",
}

_SIDES = ("Internal", "External")
_MAIL = ("Pop3Connections", "Imap4Connections", "SmtpConnections")
_WEB = (
    *("EcpUrl", "EcpVoicemailUrl", "EcpEmailSubscriptionsUrl", "EcpTextMessagingUrl", "EcpDeliveryReportUrl"),
    *("EcpRetentionPolicyTagsUrl", "EcpPublishingUrl", "EwsUrl", "OABUrl", "UMUrl", "WebClientUrls", "MailboxServer"),
    "ServerExclusiveConnect",
)
_ECP_FRAGMENTS = (
    *("VoicemailUrl", "EmailSubscriptionsUrl", "TextMessagingUrl", "DeliveryReportUrl", "RetentionPolicyTagsUrl"),
    "PublishingUrl",
)
_OTHERS = (
    *("UserDisplayName", "UserDN", "UserDeploymentId", "UserMSOnline", "AutoDiscoverSMTPAddress", "MailboxDN"),
    *("InternalRpcClientServer", "InternalMailboxServerDN", "PublicFolderServer", "ActiveDirectoryServer"),
    *("ExternalMailboxServerRequiresSSL", "ExternalMailboxServerAuthenticationMethods", "ExchangeRpcUrl"),
    *("CrossOrganizationSharingEnabled", "AlternateMailboxes", "CasVersion", "EwsSupportedSchemas", "MapiHttpEnabled"),
    *("ShowGalAsDefaultView", "InteropExternalEwsUrl", "InteropExternalEwsVersion", "ExternalEwsVersion"),
    *("MobileMailboxPolicyInterop", "GroupingInformation"),
)
USER_SETTINGS = frozenset(
    {f"{side}{name}" for side in _SIDES for name in _MAIL + _WEB}
    | {f"Ecp{name}Fragment" for name in _ECP_FRAGMENTS}
    | set(_OTHERS)
)
"""The settings of users that MS-OXWSADISC knows. Another name is an invalid setting, and not a missing one."""
_BUILD = "{:02}.{:02}.{:04}.{:03}".format(*[int(number) for number in SERVER_INFO.values()])
DOMAIN_SETTINGS = frozenset({"ExternalEwsUrl", "ExternalEwsVersion"})


@dataclass(frozen=True, slots=True)
class Question:
    """A request: addresses or domains, and the settings that are asked for."""

    operation: Operation
    named: tuple[str, ...]
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Invalid:
    """A request of a known operation that is not valid."""

    operation: Operation


def read(body: bytes, charset: str = "") -> Question | Invalid | None:
    """Reads a request's body. None: it is no request of an operation that is here, and a fault is the answer.

    Bound: linear; at most 65,536 octets, 1,000 elements and 200 attributes.
    """
    try:
        root = xml.read(body, BOUNDS, charset)
    except xml.XmlError:
        return None
    content = root.find(f"{{{_SOAP}}}Body") if root.name == f"{{{_SOAP}}}Envelope" else None
    for operation in Operation:
        message = content.find(_name(f"{operation}RequestMessage")) if content is not None else None
        if message is not None:
            version = root.text_of(f"{{{_SOAP}}}Header", _name("RequestedServerVersion"))
            return _question(operation, message) if _VERSION.fullmatch(version) else Invalid(operation)
    return None


def _question(operation: Operation, message: xml.Element) -> Question | Invalid:
    request = message.find(_name("Request")) or xml.Element("")
    if operation is Operation.USER_SETTINGS:
        users = (request.find(_name("Users")) or xml.Element("")).find_all(_name("User"))
        named = [user.text_of(_name("Mailbox")) for user in users]
    else:
        domains = (request.find(_name("Domains")) or xml.Element("")).find_all(_name("Domain"))
        named = [domain.text.strip() for domain in domains]
    wanted = (request.find(_name("RequestedSettings")) or xml.Element("")).find_all(_name("Setting"))
    settings = tuple(dict.fromkeys(setting.text.strip() for setting in wanted))
    if not 0 < len(settings) <= MAX_SETTINGS or not 0 < len(named) <= MAX_NAMED or not all(named):
        return Invalid(operation)
    return Question(operation, tuple(named), settings)


def user_settings(question: Question, answers: Mapping[str, Recipient | str | None], services: ClientServices) -> bytes:
    """The answer to GetUserSettings. `answers` are by address: the caller's mailbox, an address to ask about instead, or None."""
    return _response(
        Operation.USER_SETTINGS,
        Code.NO_ERROR,
        "".join(_user(question, answers[address], services) for address in question.named),
    )


def domain_settings(question: Question, services: ClientServices) -> bytes:
    """The answer to GetDomainSettings. Of the two settings that domains have, both are of Exchange Web Services."""
    domains = [a_labels(name) for name in services.domains]
    values = _web_services(services, "Domain")
    there = "".join(values[name] for name in question.settings if name in DOMAIN_SETTINGS & values.keys())
    errors = "".join(
        _setting_error("Domain", name, Code.NOT_AVAILABLE if name in DOMAIN_SETTINGS else Code.INVALID_SETTING)
        for name in question.settings
        if name not in DOMAIN_SETTINGS & values.keys()
    )
    known = (
        f"{_outcome(Code.NO_ERROR)}<DomainSettingErrors>{errors}</DomainSettingErrors><DomainSettings>{there}"
        '</DomainSettings><RedirectTarget i:nil="true"/>'
    )
    unknown = f'{_outcome(Code.INVALID_DOMAIN)}<DomainSettingErrors/><DomainSettings/><RedirectTarget i:nil="true"/>'
    return _response(
        Operation.DOMAIN_SETTINGS,
        Code.NO_ERROR,
        "".join(
            f"<DomainResponse>{known if a_labels(domain) in domains else unknown}</DomainResponse>"
            for domain in question.named
        ),
    )


def failure(operation: Operation, code: Code) -> bytes:
    """The answer to a request of this operation that failed as a whole."""
    return _response(operation, code, "")


def fault() -> bytes:
    """The answer to what is no request of an operation that is here (SOAP 1.1 section 4.4). Its HTTP status is 500."""
    return _envelope(
        f"{_AUTODISCOVER}/Autodiscover/fault",
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>The request is not one of this service.</faultstring></s:Fault>",
    )


def _user(question: Question, answer: Recipient | str | None, services: ClientServices) -> str:
    if not isinstance(answer, Recipient):
        code = Code.INVALID_USER if answer is None else Code.REDIRECT_ADDRESS
        target = '<RedirectTarget i:nil="true"/>'
        if answer is not None:
            target = f"<RedirectTarget>{xml.text(answer)}</RedirectTarget>"
        return f"<UserResponse>{_outcome(code)}{target}<UserSettingErrors/><UserSettings/></UserResponse>"
    values = _values(answer, services)
    there = "".join(values[name] for name in question.settings if name in values)
    errors = "".join(
        _setting_error("User", name, Code.NOT_AVAILABLE if name in USER_SETTINGS else Code.INVALID_SETTING)
        for name in question.settings
        if name not in values
    )
    return (
        f'<UserResponse>{_outcome(Code.NO_ERROR)}<RedirectTarget i:nil="true"/>'
        f"<UserSettingErrors>{errors}</UserSettingErrors><UserSettings>{there}</UserSettings></UserResponse>"
    )


def _values(mailbox: Recipient, services: ClientServices) -> dict[str, str]:
    """The settings of a mailbox that there are, by name, as elements. A service adds its own here."""
    values = {
        "UserDisplayName": mailbox.display_name,
        "AutoDiscoverSMTPAddress": mailbox.primary,
        "UserMSOnline": "False",
    }
    connections = {"Pop3": services.pop3, "Imap4": services.imap, "Smtp": services.smtp}
    elements = {name: _text_setting(name, value) for name, value in values.items()} | _web_services(services)
    for kind, ports in connections.items():
        for side in _SIDES if ports else ():
            elements[f"{side}{kind}Connections"] = _connections(f"{side}{kind}Connections", ports)
    return elements


def _web_services(services: ClientServices, kind: str = "User") -> dict[str, str]:
    """The settings of Exchange Web Services, as elements by name; none where they do not run."""
    if not services.ews:
        return {}
    values = dict.fromkeys(("InternalEwsUrl", "ExternalEwsUrl"), services.ews)
    values |= dict.fromkeys(("CasVersion", "ExternalEwsVersion"), _BUILD)
    values["EwsSupportedSchemas"] = ", ".join([version.label for version in Version])
    return {name: _text_setting(name, value, kind) for name, value in values.items()}


def _text_setting(name: str, value: str, kind: str = "User") -> str:
    form = f"{'Domain' if kind == 'Domain' else ''}StringSetting"
    return f'<{kind}Setting i:type="{form}"><Name>{name}</Name><Value>{xml.text(value)}</Value></{kind}Setting>'


def _connections(name: str, ports: Sequence[MailService]) -> str:
    connections = "".join(
        f"<ProtocolConnection><EncryptionMethod>{ENCRYPTIONS[port.tls]}</EncryptionMethod>"
        f"<Hostname>{xml.text(port.host)}</Hostname><Port>{port.port}</Port></ProtocolConnection>"
        for port in ports
    )
    return (
        f'<UserSetting i:type="ProtocolConnectionCollectionSetting"><Name>{name}</Name>'
        f"<ProtocolConnections>{connections}</ProtocolConnections></UserSetting>"
    )


def _setting_error(kind: str, name: str, code: Code) -> str:
    return f"<{kind}SettingError>{_outcome(code)}<SettingName>{xml.text(name)}</SettingName></{kind}SettingError>"


def _outcome(code: Code) -> str:
    return f"<ErrorCode>{code}</ErrorCode><ErrorMessage>{xml.text(_WORDS[code])}</ErrorMessage>"


def _response(operation: Operation, code: Code, content: str) -> bytes:
    kind = "User" if operation is Operation.USER_SETTINGS else "Domain"
    inner = f"{_outcome(code)}<{kind}Responses>{content}</{kind}Responses>"
    return _envelope(
        f"{_AUTODISCOVER}/Autodiscover/{operation}Response",
        f'<{operation}ResponseMessage xmlns="{_AUTODISCOVER}"><Response xmlns:i="{_INSTANCE}">{inner}</Response>'
        f"</{operation}ResponseMessage>",
    )


def _envelope(action: str, content: str) -> bytes:
    """ServerVersionInfo says Exchange 2010, with which the service began: it is the lowest that clients ask for."""
    version = "".join(
        f"<h:{name}>{value}</h:{name}>"
        for name, value in (
            ("MajorVersion", "14"),
            ("MinorVersion", "0"),
            ("MajorBuildNumber", "639"),
            ("MinorBuildNumber", "21"),
            ("Version", "Exchange2010"),
        )
    )
    header = (
        f'<a:Action s:mustUnderstand="1">{action}</a:Action>'
        f'<h:ServerVersionInfo xmlns:h="{_AUTODISCOVER}">{version}</h:ServerVersionInfo>'
    )
    return (
        f'{xml.DECLARATION}<s:Envelope xmlns:s="{_SOAP}" xmlns:a="{_ADDRESSING}">'
        f"<s:Header>{header}</s:Header><s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def _name(local: str) -> str:
    return f"{{{_AUTODISCOVER}}}{local}"
