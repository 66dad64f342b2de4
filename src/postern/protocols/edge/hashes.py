"""Hashes of addresses, which an edge has in their place: SHA-256 for recipients, its first four bytes in safe and blocked lists.

Exchange 2007 does the same (EdgeSync, safelist aggregation), but does not publish which bytes it hashes. Here they are those of
the address as it is compared everywhere, `model.domains.fold`, in UTF-8.
"""

from __future__ import annotations

import hashlib

from postern.model.domains import a_labels, fold

LENGTH = 4
"""Bytes of an entry in a safe or blocked list."""


def address_hash(address: str) -> bytes:
    """The hash of a recipient, 32 bytes. `address` may be in any case."""
    folded = fold(address) if "@" in address else a_labels(address)
    return hashlib.sha256(folded.encode("utf-8", "surrogateescape")).digest()


def sender_hash(sender: str) -> bytes:
    """The hash of a sender, 4 bytes: of an address, or of a domain written "@example.org" or "example.org"."""
    return address_hash(sender.lstrip("@"))[:LENGTH]


def sender_hashes(sender: str) -> tuple[bytes, ...]:
    """The entries of a list that match this sender: the address itself, and its domain."""
    domain = sender.rpartition("@")[2]
    return (sender_hash(sender),) if domain == sender.lstrip("@") else (sender_hash(sender), sender_hash(domain))


def joined(senders: list[str]) -> bytes:
    """Makes a list as the directory keeps it (msExchSafeSendersHash): hashes in order, one after the other."""
    return b"".join(sorted({sender_hash(sender) for sender in senders}))


def split(value: bytes) -> frozenset[bytes]:
    """The entries of such a value; a rest shorter than an entry means nothing.

    Bound: linear in the value.
    """
    whole = len(value) - len(value) % LENGTH
    return frozenset(value[start : start + LENGTH] for start in range(0, whole, LENGTH))
