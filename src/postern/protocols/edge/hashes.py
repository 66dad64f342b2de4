"""Hashes recipients' addresses by SHA-256. An edge has the hashes in their place.

Exchange 2007 does the same (EdgeSync), but does not publish which bytes it hashes. Here they are those of
the address as it is compared everywhere, `model.domains.fold`, in UTF-8.
"""

from __future__ import annotations

import hashlib

from postern.model.domains import a_labels, fold


def address_hash(address: str) -> bytes:
    """The hash of a recipient, 32 bytes. `address` may be in any case."""
    folded = fold(address) if "@" in address else a_labels(address)
    return hashlib.sha256(folded.encode("utf-8", "surrogateescape")).digest()
