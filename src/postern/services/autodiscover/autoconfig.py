"""The client configuration that Thunderbird and other mail programs read (Mozilla's autoconfig, version 1.1).

Pure. It names servers and nobody: what it says depends on the domain of an address, and not on whether somebody has it.
"""

from __future__ import annotations

from postern.model.security import Mechanism
from postern.paths.row import Tls
from postern.protocols import xml
from postern.services.autodiscover.client_services import ClientServices, MailService

CONTENT_TYPE = "text/xml; charset=utf-8"
_SOCKETS = {Tls.IMPLICIT: "SSL", Tls.UPGRADE: "STARTTLS", Tls.NONE: "plain"}
_METHODS = {Mechanism.KERBEROS: "GSSAPI", Mechanism.NTLM: "NTLM", Mechanism.BASIC: "password-cleartext"}
"""The names of mechanisms, best first: a client takes the first that it can use. It has none for SCRAM."""
_USER = "<username>%EMAILADDRESS%</username>"


def configuration(domain: str, services: ClientServices) -> bytes:
    """The configuration for addresses of this domain (A-labels), of the services that run."""
    name = xml.text(services.organization)
    mail = [
        *(_server("incomingServer", "imap", service) for service in services.imap),
        *(_server("incomingServer", "pop3", service) for service in services.pop3),
        *(_server("outgoingServer", "smtp", service) for service in services.smtp),
    ]
    web = [
        _collection("addressBook", "carddav", services.contacts),
        _collection("calendar", "caldav", services.calendars),
    ]
    return (
        f'{xml.DECLARATION}<clientConfig version="1.1">\n<emailProvider id="{xml.attribute(domain)}">\n'
        f"<domain>{xml.text(domain)}</domain>\n<displayName>{name}</displayName>\n"
        f"<displayShortName>{name}</displayShortName>\n{''.join(mail)}</emailProvider>\n{''.join(web)}</clientConfig>\n"
    ).encode()


def _server(element: str, kind: str, service: MailService) -> str:
    methods = "".join(
        f"<authentication>{name}</authentication>"
        for mechanism, name in _METHODS.items()
        if mechanism in service.mechanisms
    )
    return (
        f'<{element} type="{kind}"><hostname>{xml.text(service.host)}</hostname><port>{service.port}</port>'
        f"<socketType>{_SOCKETS[service.tls]}</socketType>{methods}{_USER}</{element}>\n"
    )


def _collection(element: str, kind: str, url: str) -> str:
    if not url:
        return ""
    return (
        f'<{element} type="{kind}">{_USER}<authentication system="http">basic</authentication>'
        f"<serverURL>{xml.text(url)}</serverURL></{element}>\n"
    )
