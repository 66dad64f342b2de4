"""Clients' certificates on the web: the host names that ask for one, and who their owners are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from cryptography import x509

from postern.model.security import Mechanism
from postern.net.by_name import ContextsByName
from postern.net.mutual import ClientAuthorities
from postern.net.tls import ServerContext, server_context
from postern.paths.row import Path
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.trust.certificates.client_certificates import ClientCertificateOwners


def web_tls(runtime: Runtime, logon: ServerLogon, rows: Sequence[Path]) -> ServerContext | ContextsByName:
    """The TLS of the doors of these rows. Nobody is asked for a certificate where no row lists them. Raises OSError."""
    certified = runtime.organization.client_certificates
    if certified is None or not any(Mechanism.CERTIFICATE in row.supported_auth for row in rows):
        return server_context(logon.certificate)
    own = runtime.state.probe_authority
    authorities = ClientAuthorities(
        FilePath(certified.authorities),
        FilePath(certified.revoked) if certified.revoked else None,
        (own,) if own.exists() else (),
    )
    return ContextsByName(logon.certificate, frozenset(certified.names), authorities)


def certificate_owners(runtime: Runtime, logon: ServerLogon) -> ClientCertificateOwners | None:
    """Knows whose a certificate is; None where nobody is asked for one."""
    if runtime.organization.client_certificates is None:
        return None
    file = runtime.state.probe_authority
    own = x509.load_pem_x509_certificate(file.read_bytes()) if file.exists() else None
    return ClientCertificateOwners(logon.directory, logon.authenticator.membership, own)
