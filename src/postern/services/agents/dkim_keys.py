"""DKIM's private keys in the state folder's secrets: one folder a domain, one PEM file (PKCS #8, mode 0600) a selector, and which
of them sign.

Reads and writes those files. A key is made, published by a person in DNS, used, and later removed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from postern.model.domains import mail_domain
from postern.transport.agents.dkim_signing import SELECTOR, SigningKey
from postern.trust.private_files import replace_file

FOLDER = "dkim"
RSA_BITS = 2048
"""Bits of a new RSA key: every verifier handles as many, and the record fits one UDP answer."""

_IN_USE = "in-use"
_CHANGED = "changed"


class DkimKeyError(Exception):
    """The request cannot be carried out; the text says why."""


class KeyRing:
    """The keys below `secrets`, a folder of the state folder. `signing` is cheap while nothing has changed."""

    def __init__(self, secrets: Path) -> None:
        self._folder = secrets / FOLDER
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, list[SigningKey]] = {}

    def signing(self) -> Mapping[str, list[SigningKey]]:
        """The keys in use, by domain. Raises OSError or ValueError for a key that cannot be read."""
        try:
            status = os.stat(self._folder / _CHANGED)
        except FileNotFoundError:
            return {}
        seen = status.st_mtime_ns, status.st_ino
        if seen != self._seen:
            self._keys = {
                domain: [self.load(domain, name) for name in self.in_use(domain)] for domain in self.domains()
            }
            self._seen = seen
        return self._keys

    def domains(self) -> list[str]:
        return sorted(entry.name for entry in self._folder.iterdir() if entry.is_dir()) if self._folder.exists() else []

    def selectors(self, domain: str) -> list[str]:
        folder = self._folder / domain
        return sorted(file.stem for file in folder.glob("*.pem")) if folder.is_dir() else []

    def in_use(self, domain: str) -> list[str]:
        try:
            return (self._folder / domain / _IN_USE).read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return []

    def load(self, domain: str, selector: str) -> SigningKey:
        """Reads one key. Raises OSError or ValueError."""
        data = (self._folder / domain / f"{selector}.pem").read_bytes()
        key = serialization.load_pem_private_key(data, None)
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise ValueError(f"the key {selector} of {domain} is of no kind that signs mail")
        return SigningKey(domain, selector, key)

    def make(self, domain: str, selector: str, ed25519: bool = False) -> SigningKey:
        """Makes a key, which signs nothing yet. Raises DkimKeyError for a selector that is taken, and for a name that is none."""
        try:
            named = mail_domain(domain)
        except ValueError:
            named = ""
        if named != domain:  # as A-labels, for it names a folder too
            raise DkimKeyError(f"`{domain}` is no domain name")
        if not SELECTOR.match(selector):
            raise DkimKeyError(f"'{selector}' is no selector: letters, digits and hyphens")
        file = self._folder / domain / f"{selector}.pem"
        if file.exists():
            raise DkimKeyError(f"{domain} has a key {selector} already")
        key = Ed25519PrivateKey.generate() if ed25519 else rsa.generate_private_key(65537, RSA_BITS)
        data = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(file, data)
        return SigningKey(domain, selector, key)

    def _no_key(self, domain: str, wanted: str) -> DkimKeyError:
        return DkimKeyError(f"{domain} has no key {wanted}; its keys: {', '.join(self.selectors(domain)) or 'none'}")

    def use(self, domain: str, selectors: list[str]) -> None:
        """Has these keys sign from now on; with none, the domain's mail is not signed. Raises DkimKeyError."""
        if not self.selectors(domain):
            raise DkimKeyError(f"{domain} has no key")
        missing = [name for name in selectors if name not in self.selectors(domain)]
        if missing:
            raise self._no_key(domain, ", ".join(missing))
        replace_file(self._folder / domain / _IN_USE, ("\n".join(selectors) + "\n").encode())
        replace_file(self._folder / _CHANGED, b"")

    def remove(self, domain: str, selector: str) -> None:
        """Deletes a key. Raises DkimKeyError for one that is in use or is not there."""
        if selector in self.in_use(domain):
            raise DkimKeyError(f"the key {selector} signs: let another one do so first (--use), or none (--stop)")
        if selector not in self.selectors(domain):
            raise self._no_key(domain, selector)
        (self._folder / domain / f"{selector}.pem").unlink()
