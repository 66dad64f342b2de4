"""A self-signed certificate for probes: a server must not believe a caller that shows it.

It is made anew for each run, in a folder that is deleted once it is loaded.
"""

from __future__ import annotations

import datetime
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path as FilePath

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from postern.net.tls import Certificate, opportunistic_context, validating_context


@lru_cache(maxsize=4)
def stranger_context(authority: FilePath | None, name: str) -> ssl.SSLContext:
    """A context that trusts our authority (None: everybody), and shows a self-signed certificate for `name` on request."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory() as folder:
        chain, secret = FilePath(folder, "chain.pem"), FilePath(folder, "key.pem")
        chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        shown = Certificate(chain, secret)
        return opportunistic_context(shown) if authority is None else validating_context(authority, shown)
