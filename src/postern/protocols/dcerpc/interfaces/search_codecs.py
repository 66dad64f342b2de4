"""Codecs of the mailbox interfaces for SEARCH programs and sort keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postern.model.search import SearchTerm, SortKey
from postern.protocols.dcerpc.codecs import (
    Wide,
    parts,
    read_signed_words,
    read_texts,
    read_words,
    write_signed_words,
    write_texts,
    write_words,
)
from postern.protocols.dcerpc.interfaces.mailbox_codecs import read_ranges, write_ranges
from postern.protocols.dcerpc.ndr import I64, U32, Array
from postern.protocols.dcerpc.ndr_blobs import Blobs

MAX_TERMS = 2000
MAX_DEPTH = 50


def _write_term(root: SearchTerm) -> tuple[Any, ...]:
    """Writes a program as seven parameters: its terms in prefix order, each with its number of children and ranges."""
    flat: list[SearchTerm] = []
    stack = [root]
    while stack:
        node = stack.pop()
        flat.append(node)
        stack += reversed(node.terms)
    return (
        write_texts([node.key for node in flat]),
        write_texts([node.text for node in flat]),
        write_texts([node.name for node in flat]),
        write_signed_words([node.number for node in flat]),
        write_words([len(node.terms) for node in flat]),
        write_words([len(node.uids) for node in flat]),
        write_ranges([pair for node in flat for pair in node.uids]),
    )


def read_term(
    keys: Sequence[bytes],
    texts: Sequence[bytes],
    names: Sequence[bytes],
    numbers: bytes,
    children: bytes,
    counts: bytes,
    ranges: bytes,
) -> SearchTerm:
    """Reads a SEARCH program from its flattened terms. Raises ValueError.

    Bound: linear; at most MAX_TERMS terms, and MAX_DEPTH levels below the root.
    """
    if not 0 < len(keys) <= MAX_TERMS:
        raise ValueError("no term, or too many")
    flat = list(
        zip(
            read_texts(keys),
            read_texts(texts),
            read_texts(names),
            read_signed_words(numbers),
            read_words(children),
            parts(read_words(counts), read_ranges(ranges)),
            strict=True,
        )
    )
    at = 0

    def build(depth: int) -> SearchTerm:
        nonlocal at
        if at >= len(flat) or depth > MAX_DEPTH:
            raise ValueError("a program that does not add up")
        key, text, name, number, count, uids = flat[at]
        at += 1
        terms = tuple(build(depth + 1) for _ in range(min(count, len(flat))))
        return SearchTerm(key, text, name, number, tuple(uids), terms)

    root = build(0)
    if at != len(flat):
        raise ValueError("terms are left over")
    return root


TERM = Wide(
    (
        ("term_keys", Blobs()),
        ("term_texts", Blobs()),
        ("term_names", Blobs()),
        ("term_numbers", Array(I64)),
        ("term_children", Array(U32)),
        ("term_range_counts", Array(U32)),
        ("term_ranges", Array(U32)),
    ),
    _write_term,
    read_term,
)
SORT = Wide(
    (("sort_keys", Blobs()), ("sort_reverse", Array(U32))),
    lambda keys: (write_texts([key.key for key in keys]), write_words([int(key.reverse) for key in keys])),
    lambda keys, reverse: [
        SortKey(key, bool(back)) for key, back in zip(read_texts(keys), read_words(reverse), strict=True)
    ],
)
