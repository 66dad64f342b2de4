"""DKIM signing on the way out: for which domain a message is signed, and the DNS record that publishes a key.

The keys themselves lie in the state folder's secrets; `services.agents.dkim_keys` reads and makes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from postern.model.domains import a_labels
from postern.protocols.authentication.header import Field, addresses, named

_LABEL = r"(?!-)[a-z0-9-]{1,63}+(?<!-)"
SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+\Z")
_STRING = 255
"""Octets of one string of a TXT record (RFC 1035 section 3.3)."""


@dataclass(frozen=True, slots=True)
class DkimSigningSettings:
    pass


@dataclass(frozen=True, slots=True)
class SigningKey:
    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def name(self) -> str:
        """The name of the TXT record."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record's text (RFC 6376 section 3.6.1)."""
        if isinstance(self.key, RSAPrivateKey):
            public = self.key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"

    @property
    def zone_line(self) -> str:
        """As it is pasted into a zone file."""
        text = self.record
        strings = " ".join(f'"{text[at : at + _STRING]}"' for at in range(0, len(text), _STRING))
        return f"{self.name}. IN TXT ( {strings} )"


def signing_domain(found: Sequence[Field], sender: str, known: Container[str]) -> str:
    """The domain to sign for: From's (that is what DMARC looks at), else the envelope sender's, where there is a key for it or
    for a domain above it; "" if there is none."""
    authors = addresses([field.value for field in named(found, "from")])
    for address in [*authors[:1], *([sender] if sender else [])]:
        domain = a_labels(address.rpartition("@")[2])
        while "." in domain:
            if domain in known:
                return domain
            domain = domain.partition(".")[2]
    return ""
