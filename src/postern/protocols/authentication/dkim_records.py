"""DKIM's signatures and keys as values: a DKIM-Signature field (RFC 6376 section 3.5) and a key record (section 3.6.1), parsed.

An error has a short text for Authentication-Results; nothing raises on input.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from postern.protocols.authentication.canonical import Canonicalization
from postern.protocols.authentication.header import Field
from postern.protocols.authentication.spf import is_name
from postern.protocols.authentication.tags import parse_tags, squeezed

MAX_SIGNED = 500
"""Field names in h=."""

_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_DOMAIN = re.compile(r"(?![.-])[A-Za-z0-9_.-]++(?<![.-])\Z")
_FIELD_NAME = re.compile(r"[!-9;-~]+\Z")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature. `length` is l= (None: the whole body); `expires` is x= (None: never), in epoch seconds."""

    field: Field
    algorithm: str
    domain: str
    selector: str
    identity: str
    header: Canonicalization
    body: Canonicalization
    signed: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    length: int | None
    expires: int | None

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. `kind` is "rsa" (DER) or "ed25519" (32 octets). `exact` is t=s: the identity must have the signature's
    domain."""

    kind: str
    octets: bytes
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A signature or key that cannot be used, with what is known about it for the report."""

    why: str
    domain: str = ""
    selector: str = ""


def parse_signature(field: Field) -> Signature | Broken:
    """Reads a DKIM-Signature field (RFC 6376 section 3.5).

    Bound: linear in the field; at most 65,536 characters and 500 names in h=.
    """
    tags = parse_tags(field.raw.partition(b":")[2].decode("ascii", "replace"))
    if tags is None:
        return Broken("malformed signature")
    domain = squeezed(tags.get("d", "")).lower().rstrip(".")
    selector = squeezed(tags.get("s", ""))
    if not (_DOMAIN.match(domain) and _DOMAIN.match(selector) and is_name(f"{selector}._domainkey.{domain}")):
        return Broken("malformed signature")
    problem = _problem(tags)
    if problem:
        return Broken(problem, domain, selector)
    signed = tuple(name.strip().lower() for name in tags["h"].split(":"))
    identity = squeezed(tags.get("i", "")) or f"@{domain}"
    body_hash, signature = _decoded(tags["bh"]), _decoded(tags["b"])
    header, body = _canonicalizations(tags.get("c", "simple/simple"))
    if body_hash is None or signature is None or header is None or body is None:
        return Broken("malformed signature", domain, selector)
    host = identity.rpartition("@")[2].lower().rstrip(".")
    if "@" not in identity or not (host == domain or host.endswith("." + domain)):
        return Broken("its identity is of another domain", domain, selector)
    if not all(map(_FIELD_NAME.match, signed)) or len(signed) > MAX_SIGNED:
        return Broken("malformed signature", domain, selector)
    if "from" not in signed:
        return Broken("From is not signed", domain, selector)
    return Signature(
        field,
        tags["a"].strip().lower(),
        domain,
        selector,
        identity,
        header,
        body,
        signed,
        body_hash,
        signature,
        int(tags["l"]) if "l" in tags else None,
        int(tags["x"]) if "x" in tags else None,
    )


def _problem(tags: dict[str, str]) -> str:
    """The first error in a signature's tags (RFC 6376 section 6.1.1); "" if there is none."""
    if any(name not in tags for name in ("v", "a", "b", "bh", "d", "h", "s")):
        return "a required tag is missing"
    if tags["v"] != "1":
        return "unknown version"
    if tags["a"].lower() not in ("rsa-sha256", "rsa-sha1", "ed25519-sha256"):
        return "unknown algorithm"
    if any(name in tags and not _NUMBER.match(tags[name]) for name in ("t", "x")):
        return "malformed signature"
    # RFC 6376 section 3.5 allows 76 digits; no message has more octets than these.
    if "l" in tags and not re.match(r"[0-9]{1,76}\Z", tags["l"]):
        return "malformed signature"
    if "q" in tags and "dns/txt" not in [method.strip().lower() for method in tags["q"].split(":")]:
        return "unknown query method"
    if "t" in tags and "x" in tags and int(tags["x"]) <= int(tags["t"]):
        return "malformed signature"
    return ""


def parse_key(text: str) -> Key | Broken:
    """Reads a TXT record of a selector. Broken says why no signature can be checked with it.

    Bound: linear; at most 65,536 characters.
    """
    tags = parse_tags(text)
    if tags is None or "p" not in tags or tags.get("v", "DKIM1") != "DKIM1":
        return Broken("malformed key")
    if "h" in tags and "sha256" not in _list(tags["h"]):
        return Broken("the key is not for SHA-256")
    if "s" in tags and not {"*", "email"} & set(_list(tags["s"])):
        return Broken("the key is not for mail")
    kind = tags.get("k", "rsa").lower()
    if kind not in ("rsa", "ed25519"):
        return Broken("unknown kind of key")
    octets = _decoded(tags["p"])
    if octets is None:
        return Broken("malformed key")
    if not octets:
        return Broken("the key is revoked")
    return Key(kind, octets, "s" in _list(tags.get("t", "")))


def _canonicalizations(text: str) -> tuple[Canonicalization | None, Canonicalization | None]:
    header, _, body = squeezed(text).lower().partition("/")
    known = {how.value: how for how in Canonicalization}
    return known.get(header), known.get(body or "simple")


def _list(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(":")]


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(squeezed(value), validate=True)
    except (binascii.Error, ValueError):
        return None
