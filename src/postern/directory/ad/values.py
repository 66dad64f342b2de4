"""Reads values whose form is particular to Active Directory: naming contexts, attributes in ranges, our own entries.

Pure, like `entries`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from postern.directory import entries
from postern.directory.ad import names as ad_names
from postern.directory.ad.security_descriptor import sid_text
from postern.model.directory import TrustedCertificate
from postern.model.domains import fold
from postern.model.organization import Role

_RANGE = re.compile(r"member;range=(\d{1,9})-(\d{1,9}|\*)", re.IGNORECASE)


def base_of(domain: str) -> str:
    """Returns the naming context of a domain (RFC 2247). `domain` is a DNS name."""
    return ",".join(f"DC={label}" for label in domain.rstrip(".").split("."))


def complete(values: entries.Values) -> tuple[dict[str, list[bytes]], int]:
    """Returns the values with `member` under its own name, and the number from which on more must be asked for; 0 for no more.

    MS-ADTS 3.1.1.3.1.3.3: "member;range=0-1499" beside an empty "member", and "member;range=1500-*" for the last ones.
    """
    answer: dict[str, list[bytes]] = {}
    following = 0
    for name, held in values.items():
        match = _RANGE.fullmatch(name)
        if match is None:
            answer.setdefault(name, []).extend(held)
            continue
        answer.setdefault("member", []).extend(held)
        if match[2] != "*" and held:
            following = int(match[2]) + 1
    return answer, following


def sid_of(values: entries.Values) -> str:
    """Returns objectSid as text, "S-1-5-21-…" (MS-DTYP 2.4.2.1); "" where there is none."""
    sid = bytes(values.get("objectSid", (b"",))[0])
    return sid_text(sid) if len(sid) >= 8 and len(sid) == 8 + 4 * sid[1] else ""


def certificates_of_edges(subscriptions: Iterable[entries.Values]) -> tuple[TrustedCertificate, ...]:
    """Returns the certificates in the entries of edge subscriptions; incomplete entries are left out."""
    return tuple(
        TrustedCertificate(name, fqdn, Role.EDGE, bytes(der))
        for values in subscriptions
        if (name := entries.text(values, "cn")) and (fqdn := fold(entries.text(values, ad_names.SERVER_FQDN)))
        for der in values.get(ad_names.CERTIFICATE, ())
    )
