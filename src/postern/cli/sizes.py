"""Writes sizes for people, and reads what people write. Every command says sizes by this one rule; --json has octets."""

from __future__ import annotations

import click

from postern.model.words import counted


def size(octets: int) -> str:
    """Returns a number of octets as people read it: "1 byte", "463 bytes", "1.5 GB"; 1 KB is 1,024 bytes."""
    if octets < 1024:
        return counted(octets, "byte")
    amount = octets / 1024
    for unit in ("KB", "MB", "GB", "TB"):
        if amount < 1024 or unit == "TB":
            break
        amount /= 1024
    return f"{amount:.4g} {unit}" if amount < 1000 else f"{amount:.0f} {unit}"


def octets(text: str | int) -> int:
    """Reads a size as people write it: 2G, 500M, 100K, or bytes. For `type=` of an option."""
    word = str(text).strip().upper().removesuffix("B")
    factor = {"K": 1024, "M": 1024**2, "G": 1024**3}.get(word[-1:], 1)
    digits = word[:-1] if factor > 1 else word
    if not digits.isdecimal():
        raise click.BadParameter(f'"{text}" is no size: write 2G, 500M, 100K, or a number of bytes')
    return int(digits) * factor
