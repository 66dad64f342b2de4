"""The web of a client access process: doors on 443 and 80 that serve all rows of the web, with the applications behind them."""

from __future__ import annotations

from functools import partial

from postern.net.by_name import ContextsByName
from postern.paths.deployment import closed
from postern.paths.row import Tls
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.roles.web_certificates import certificate_owners, web_tls
from postern.roles.web_parts import PARTS
from postern.services.http.access import HttpAccess
from postern.services.http.session import HttpSession
from postern.services.http.site import Site
from postern.trust.certificates.chains import covers

HTTPS = 443


class Web:
    """The doors are opened by `open`; `doors` closes them."""

    def __init__(self, runtime: Runtime, logon: ServerLogon, doors: Doors) -> None:
        self._runtime = runtime
        self._logon = logon
        self._doors = doors
        self._rows = [row for id in PARTS if not closed(runtime.organization, row := runtime.rows[id])]
        self._tls = web_tls(runtime, logon, self._rows)

    async def open(self) -> None:
        """Opens the doors of the rows that are deployed. Raises OSError."""
        runtime, logon, rows, tls = self._runtime, self._logon, self._rows, self._tls
        by_parts = {make: [row for row in rows if PARTS[row.id] is make] for make in PARTS.values()}
        access = HttpAccess(
            Site([route for make, served in by_parts.items() if served for route in make(runtime, logon, served)]),
            logon.authenticator,
            runtime.observed,
            runtime.organization.name,
            runtime.server.fqdn,
            self._is_ours,
            runtime.organization.port(HTTPS),
            digest=logon.digest_keeping(),
            owners=certificate_owners(runtime, logon),
            asking_names=tls.asking_names if isinstance(tls, ContextsByName) else frozenset(),
        )
        # By number, for rows may label the same port: two doors on one number would share its connections out among them.
        for number in dict.fromkeys(port.number or 0 for row in rows for port in row.ports):
            served = [row for row in rows if number in {port.number for port in row.ports}]
            port = served[0].port(number)
            sealed = tls if port.tls is Tls.IMPLICIT else None
            await self._doors.open(served, port, partial(HttpSession, access), sealed)

    def _is_ours(self, host: str) -> bool:
        """Whether clients that ask for this host in clear text are sent to it again, by TLS. A name that the certificate does not
        have would end in a warning; then the server's own name is better, if the certificate has that."""
        host, runtime = host.strip("[]"), self._runtime
        names, organization = self._tls.renewed().names, runtime.feed.current
        if covers(names, host):
            return True
        ours = host in organization.own_names() or host in organization.names_of(runtime.server)
        return not covers(names, runtime.server.fqdn) and (ours or host in runtime.server.addresses)
