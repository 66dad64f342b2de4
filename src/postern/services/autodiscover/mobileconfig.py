"""The configuration profile that Apple's devices install (Configuration Profile Reference): a property list, signed as CMS.

Pure, but `cryptography` reads the clock for the signature. A profile names servers, and the address that it is made for.
"""

from __future__ import annotations

import plistlib
import uuid
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from postern.model.security import Mechanism
from postern.paths.row import Tls
from postern.services.autodiscover.client_services import ClientServices, MailService

CONTENT_TYPE = "application/x-apple-aspen-config"
_SPACE = uuid.UUID("7b1e5c6e-5d0b-4f0e-9c35-2f6f1a4a9d11")
"""The name space of payloads' identifiers. An address always gets the same ones, so that a new profile replaces the former."""


def profile(address: str, services: ClientServices) -> bytes | None:
    """The profile for this address, with an account for each service that runs; None if no mail service does."""
    payloads = [
        payload
        for payload in (
            _mail(address, services),
            _collection(address, "caldav", "CalDAV", services.calendars),
            _collection(address, "carddav", "CardDAV", services.contacts),
        )
        if payload
    ]
    if not payloads:
        return None
    domain = address.rpartition("@")[2]
    return plistlib.dumps(
        {
            **_head(address, "Configuration", f"{domain}.mail", services.organization),
            "PayloadOrganization": services.organization,
            "PayloadDescription": f"Mail of {address}",
            "PayloadRemovalDisallowed": False,
            "PayloadContent": payloads,
        }
    )


def signed(profile: bytes, chain: bytes, key: bytes) -> bytes:
    """The profile as data that this certificate has signed (RFC 5652 section 5): the first of `chain` (PEM), with those above it.
    Raises ValueError for what is no chain or no key."""
    certificates = x509.load_pem_x509_certificates(chain)
    # Anybody may ask, and to validate an RSA key takes sixty times as long as to sign. It is our own, and serves TLS already.
    private = serialization.load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("the key is neither RSA nor of an elliptic curve")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(profile).add_signer(certificates[0], private, hashes.SHA256())
    for certificate in certificates[1:]:
        builder = builder.add_certificate(certificate)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def _mail(address: str, services: ClientServices) -> dict[str, Any]:
    """An account of IMAP, or of POP3 where that alone runs; {} without a way in or out."""
    incoming = services.imap or services.pop3
    if not incoming or not services.smtp:
        return {}
    return {
        **_head(address, "com.apple.mail.managed", "mail", services.organization),
        "EmailAccountDescription": services.organization,
        "EmailAccountType": "EmailTypeIMAP" if services.imap else "EmailTypePOP",
        "EmailAddress": address,
        **_server("Incoming", address, incoming[0]),
        **_server("Outgoing", address, services.smtp[0]),
        "OutgoingPasswordSameAsIncomingPassword": True,
    }


def _server(side: str, address: str, service: MailService) -> dict[str, Any]:
    password = Mechanism.BASIC in service.mechanisms
    return {
        f"{side}MailServerHostName": service.host,
        f"{side}MailServerPortNumber": service.port,
        f"{side}MailServerUseSSL": service.tls is not Tls.NONE,
        f"{side}MailServerUsername": address,
        f"{side}MailServerAuthentication": "EmailAuthPassword" if password else "EmailAuthNTLM",
    }


def _collection(address: str, kind: str, prefix: str, url: str) -> dict[str, Any]:
    if not url:
        return {}
    parts = urlsplit(url)
    return {
        **_head(address, f"com.apple.{kind}.account", kind, ""),
        f"{prefix}HostName": parts.hostname,
        f"{prefix}Port": parts.port or 443,
        f"{prefix}UseSSL": True,
        f"{prefix}PrincipalURL": parts.path,
        f"{prefix}Username": address,
    }


def _head(address: str, kind: str, name: str, shown: str) -> dict[str, Any]:
    identifier = ".".join(reversed(address.rpartition("@")[2].split(".")))
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.{name}",
        "PayloadUUID": str(uuid.uuid5(_SPACE, f"{kind} {address}")).upper(),
        "PayloadDisplayName": shown or address,
    }
