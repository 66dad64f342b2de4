"""A door that asks for certificates under one of its names, with curl as its client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.net.by_name import ContextsByName
from postern.net.mutual import ClientAuthorities
from postern.net.tls import Certificate
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.trust.certificates.client_certificates import ClientCertificateOwners
from postern.trust.membership import Membership
from tests.services.http.doors import HOST, METHODS, Route, WebDoor, hello
from tests.support.client_certificates import UserAuthority

ASKING = "certificate.example.test"
ALICE = "alice@example.test"
DAV = settle(Profile.HARDENED)["caldav"]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str
    words: str


class AskingDoor(WebDoor):
    """A door that asks under ASKING. `/dav/` is on a row with certificates, `/other/` is not."""

    def __init__(self, folder: Path, revoked: bool = False, probe_authority: Path | None = None) -> None:
        super().__init__()
        self.people_authority = UserAuthority(folder)
        self.folder = folder
        self.certificate = Certificate(folder / "server.pem", folder / "server.key")
        self.renew()
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        own = (probe_authority,) if probe_authority is not None else ()
        clients = ClientAuthorities(
            self.people_authority.file, self.people_authority.revoke() if revoked else None, own
        )
        self.tls = ContextsByName(self.certificate, frozenset({ASKING}), clients)
        issuer = x509.load_pem_x509_certificate(probe_authority.read_bytes()) if probe_authority is not None else None
        self.owners = ClientCertificateOwners(self.people, Membership(), issuer)

    def renew(self) -> None:
        """Writes another certificate of the server."""
        own = self.authority.issue_cert(HOST, ASKING)
        own.private_key_pem.write_to_path(self.certificate.key)
        self.certificate.chain.write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[AskingDoor]:
        proofs = frozenset({Mechanism.CERTIFICATE, Mechanism.KERBEROS})
        dav = Route("/dav/", Guard([DAV], proofs), hello, METHODS)
        only = Route("/only/", Guard([DAV], frozenset({Mechanism.CERTIFICATE})), hello, METHODS)
        other = self.route("/other/")
        async with self.opened(dav, only, other):
            for route in (dav, only):
                route.guard.available = proofs if route is dav else frozenset({Mechanism.CERTIFICATE})
            yield self

    async def curl(self, target: str, file: Path | None = None, name: str = ASKING, *more: str) -> Reply:
        shown = ["--cert", str(file)] if file is not None else []
        process = await asyncio.create_subprocess_exec(
            *(
                "curl",
                "-sS",
                "-m",
                "10",
                "--cacert",
                str(self.folder / "ca.pem"),
                "-w",
                "\n%{http_code}",
                *shown,
                *more,
            ),
            *("--resolve", f"{name}:{self.port}:127.0.0.1", f"https://{name}:{self.port}{target}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        text, _, status = out.decode().rpartition("\n")
        return Reply(int(status), text, error.decode())
