"""DKIM signing on the way out: chooses the domain that a message is signed for, and gives the DNS record that publishes a key.

The keys themselves lie in the state folder's secrets; `services.agents.dkim_keys` reads and makes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from postern.model.domains import a_labels
from postern.model.mail import Content
from postern.protocols.authentication.canonical import Canonicalization
from postern.protocols.authentication.dkim import body_hashes, sign
from postern.protocols.authentication.header import Field, addresses, fields, named
from postern.telemetry.attempts import attempting, attempting_in_thread_if
from postern.transport.agents.agent import Agent, LeavingMail, body_pieces

_LABEL = r"(?!-)[a-z0-9-]{1,63}+(?<!-)"
SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+\Z")
SIGNED_IN_LINE = 65_536
"""Octets of a message that is hashed and signed without a thread."""
_BODY = (Canonicalization.RELAXED, None)
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
        """The TXT record as a line to paste into a zone file."""
        return f"{self.name}. IN TXT {zone_text(self.record)}"


def zone_text(text: str) -> str:
    """The content of a TXT record as a zone file has it: strings of 255 octets at most (RFC 1035 sections 3.3 and 5.1). `text`
    has neither quotes nor backslashes."""
    strings = " ".join(f'"{text[at : at + _STRING]}"' for at in range(0, len(text), _STRING))
    return f"( {strings} )" if len(text) > _STRING else strings


class DkimSigning(Agent[DkimSigningSettings]):
    """Signs for the domain in From, or the sender's, where there is a key for it."""

    name = "dkim-signing"
    says = "signs what leaves for other organizations"
    doubt = "sends unsigned"
    settings_type = DkimSigningSettings
    everywhere = True

    async def at_leaving(self, mail: LeavingMail) -> bool:
        if not mail.keys:
            return False
        signed, domain = attempting(mail.key, self._domain_of, mail)
        if not domain:
            return False
        work = partial(_sign, signed, mail.body, mail.keys[domain], mail.now)
        mail.header = await attempting_in_thread_if(mail.body.size > SIGNED_IN_LINE, mail.key, work) + mail.header
        return True

    def _domain_of(self, mail: LeavingMail) -> tuple[list[Field], str]:
        """The fields, and the domain that they are signed for ("": none)."""
        signed = fields(mail.header)
        return signed, signing_domain(signed, mail.sender, mail.keys)


def _sign(signed: Sequence[Field], body: Content, keys: Sequence[SigningKey], now: float) -> bytes:
    digest, _ = body_hashes([_BODY], body_pieces(body))[_BODY]
    return b"".join(sign(signed, digest, key.domain, key.selector, key.key, now) for key in keys)


def signing_domain(signed: Sequence[Field], sender: str, domains: Container[str]) -> str:
    """The domain to sign for: From's (that is what DMARC looks at), else the envelope sender's, where there is a key for it or
    for a domain above it; "" if there is none."""
    authors = addresses([field.value for field in named(signed, "from")])
    for address in [*authors[:1], *([sender] if sender else [])]:
        domain = a_labels(address.rpartition("@")[2])
        while "." in domain:
            if domain in domains:
                return domain
            domain = domain.partition(".")[2]
    return ""
