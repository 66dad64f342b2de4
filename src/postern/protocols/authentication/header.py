"""A header section as fields that keep their octets: signatures cover them, and some are taken out or put in front.

Reads header octets (CRLF lines, without the empty line); every field that is not taken out stays octet for octet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from postern.model.domains import a_labels
from postern.protocols.mime.address import address_list
from postern.protocols.mime.header import split_fields, value_of

_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `raw` is the whole field with its final CRLF; `name` is lower case, "" for a line that is no field."""

    name: str
    raw: bytes

    @property
    def value(self) -> bytes:
        """The value, unfolded and stripped."""
        return value_of(self.raw)


def fields(header: bytes) -> list[Field]:
    """The fields in their order; joined they are `header` (with a CRLF at its end). What comes after MAX_FIELDS is one
    nameless field.

    Bound: linear in the header; at most 2,000 fields.
    """
    if header and not header.endswith(b"\n"):
        header += b"\r\n"
    return [Field(name.decode("ascii") if name.isascii() else "", raw) for name, raw in split_fields(header)]


def without(header: bytes, unwanted: Callable[[Field], bool]) -> tuple[bytes, tuple[str, ...]]:
    """Returns the header section without some fields, and their names."""
    kept, gone = [], []
    for field in fields(header):
        if unwanted(field):
            gone.append(field.name)
        else:
            kept.append(field.raw)
    return b"".join(kept) if gone else header, tuple(gone)


def named(section: Iterable[Field], name: str) -> list[Field]:
    return [field for field in section if field.name == name]


def addresses(values: Sequence[bytes]) -> list[str]:
    """Every address of these fields (RFC 5322 section 3.4) as local@domain; what has no domain is left out.

    Bound: linear in the fields; at most 10,000 addresses of each.
    """
    return [address.address for value in values for address in address_list(value)[0] if address.complete]


def domains(written: Sequence[str]) -> list[str]:
    """The domains of addresses, in lower case and in A-labels (RFC 5890), as DNS is asked for them."""
    return [ascii_domain(address.rpartition("@")[2]) for address in written]


def ascii_domain(domain: str) -> str:
    """A domain in A-labels. One that cannot be encoded, or is longer than a name may be (RFC 1035 section 2.3.4), stays as it is,
    and is no name.

    Bound: linear in the domain; its mapping sees 255 characters at most.
    """
    return a_labels(domain).rstrip(".")


def purported_responsible(section: Sequence[Field]) -> str:
    """The purported responsible address, which put the message on its way (RFC 4407 section 2); "" if there is none or
    several."""
    chosen: Field | None = None
    resent_sender = _first(section, "resent-sender")
    resent_from = _first(section, "resent-from")
    if resent_sender is not None and not (resent_from is not None and _separated(section, resent_from, resent_sender)):
        chosen = resent_sender
    elif resent_from is not None:
        chosen = resent_from
    else:
        for name in ("sender", "from"):
            several = [field for field in named(section, name) if field.value]
            if len(several) > 1:
                return ""
            if several:
                chosen = several[0]
                break
    if chosen is None:
        return ""
    written = addresses([chosen.value])
    return written[0] if len(written) == 1 else ""


def _first(section: Sequence[Field], name: str) -> Field | None:
    return next((field for field in section if field.name == name and field.value), None)


def _separated(section: Sequence[Field], before: Field, after: Field) -> bool:
    """Whether `before` stands in front of `after` with a trace field between them: they are of two resendings."""
    first, last = section.index(before), section.index(after)
    return first < last and any(field.name in ("received", "return-path") for field in section[first:last])
