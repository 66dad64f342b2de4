"""exchangelib, as a client nobody here wrote, at a door in TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exchangelib import DELEGATE, NTLM, Account, Configuration, Credentials
from exchangelib.protocol import BaseProtocol
from requests.adapters import HTTPAdapter

from tests.services.ews.site import EwsDoor


def account(
    door: EwsDoor,
    folder: Path,
    address: str,
    auth_type: str = NTLM,
    password: str = "wonderland",
    logon: str = "",
    access_type: str = DELEGATE,
) -> Account:
    """An account of exchangelib, as its owner or another who logs on (`logon`). Each call has its own protocol, for exchangelib
    shares them by their names."""
    file = folder / "authority.pem"
    file.write_bytes(door.authority.cert_pem.bytes())
    return account_at(door.url, file, address, auth_type, password, logon, access_type)


def account_at(
    url: str,
    authority: Path,
    address: str,
    auth_type: str = NTLM,
    password: str = "wonderland",
    logon: str = "",
    access_type: str = DELEGATE,
) -> Account:
    """An account of exchangelib at an address; each call has its own protocol, for exchangelib shares them by their names."""

    class Trusting(HTTPAdapter):
        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, str(authority), cert)

    BaseProtocol.HTTP_ADAPTER_CLS = Trusting
    configuration = Configuration(
        service_endpoint=url,
        credentials=Credentials(logon or address, password),
        auth_type=auth_type,
        max_connections=2,
    )
    return Account(address, config=configuration, autodiscover=False, access_type=access_type)
