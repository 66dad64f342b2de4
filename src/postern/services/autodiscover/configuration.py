"""Answers clients that do not log on, on the row `client-configuration`: Thunderbird's autoconfig, Apple's profile, and the
redirects of RFC 6764 section 5.

It names servers. Whether somebody has an address is never said: the directory is not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from postern.model.domains import a_labels
from postern.protocols.smtp.address import domain_of, parse_mailbox
from postern.services.autodiscover import autoconfig, mobileconfig
from postern.services.autodiscover.client_services import ClientServices
from postern.services.http.site import Receive, Scope, Send

AUTOCONFIG = "/mail/config-v1.1.xml"
WELL_KNOWN_AUTOCONFIG = "/.well-known/autoconfig/mail/config-v1.1.xml"
MOBILECONFIG = "/apple.mobileconfig"
CALDAV = "/.well-known/caldav"
CARDDAV = "/.well-known/carddav"
_HOST = "autoconfig."


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """The state that requests share. `services` are those of this server; `sign` wraps a profile in a signature by the server's
    certificate (`mobileconfig.signed`)."""

    services: Callable[[], ClientServices]
    sign: Callable[[bytes], bytes]

    async def autoconfig(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers `/mail/config-v1.1.xml` and its place under `/.well-known/`. Without an address the domain is the one in the
        host's name, autoconfig.DOMAIN."""
        request = Request(scope, receive)
        services = self.services()
        address = request.query_params.get("emailaddress", "")
        host = (request.url.hostname or "").removeprefix(_HOST)
        domain = _domain(domain_of(address) if address else host, services)
        response = Response(status_code=HTTPStatus.NOT_FOUND)
        if domain:
            response = Response(autoconfig.configuration(domain, services), media_type=autoconfig.CONTENT_TYPE)
        await response(scope, receive, send)

    async def mobileconfig(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers `/apple.mobileconfig?emailaddress=ADDRESS`."""
        request = Request(scope, receive)
        services = self.services()
        address = parse_mailbox(request.query_params.get("emailaddress", ""))
        profile = None
        if address and _domain(domain_of(address), services):
            profile = mobileconfig.profile(address, services)
        response = Response(status_code=HTTPStatus.NOT_FOUND)
        if profile is not None:
            disposition = {"Content-Disposition": 'attachment; filename="mail.mobileconfig"'}
            response = Response(self.sign(profile), headers=disposition, media_type=mobileconfig.CONTENT_TYPE)
        await response(scope, receive, send)

    async def well_known(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends clients of `/.well-known/caldav` and `carddav` to the root of DAV (RFC 6764 section 5), where that runs. In TLS
        the client keeps the host's name, which the certificate has proven; in clear text it gets the server's."""
        services = self.services()
        url = services.calendars if scope["path"].lower().startswith(CALDAV) else services.contacts
        if url and scope["scheme"] == "https":
            url = urlsplit(url).path
        response = RedirectResponse(url, HTTPStatus.MOVED_PERMANENTLY) if url else Response(status_code=404)
        await response(scope, receive, send)


def _domain(name: str, services: ClientServices) -> str:
    """The accepted domain of this name, in A-labels; "" if it is none."""
    domain = a_labels(name) if len(name) <= 255 else ""
    return domain if domain in {a_labels(accepted) for accepted in services.domains} else ""
