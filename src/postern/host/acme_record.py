"""The record of this host's ACME order, `acme.json` in the state folder's `certificates`: what is renewed, and when."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from postern.model.organization import StateFolder
from postern.trust.private_files import replace_file


@dataclass(frozen=True, slots=True)
class AcmeRecord:
    """An order that is renewed. `authorities` is a PEM file that validates the authority's server, "" for the machine's own;
    `certificate` is the SHA-256 of the certificate that was issued last, `former` that of the one before. Times are seconds since
    1970: `due` is when the next order is made. `failures` counts those that failed since."""

    directory: str
    contact: str
    names: tuple[str, ...]
    agrees: bool = False
    authorities: str = ""
    private: bool = False
    binding: str = ""
    binding_key: str = ""
    certificate: str = ""
    former: str = ""
    due: float = 0.0
    failures: int = 0


def recorded(state: StateFolder) -> AcmeRecord | None:
    """The order of this host; None without one, or if the file is damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        values = json.loads(_file(state).read_bytes())
        return AcmeRecord(**{**values, "names": tuple(values["names"])})
    return None


def keep(state: StateFolder, record: AcmeRecord) -> None:
    """Replaces the record. Raises OSError."""
    replace_file(_file(state), json.dumps(asdict(record), indent=1).encode() + b"\n")


def forget(state: StateFolder) -> None:
    """Deletes the record, if there is one: nothing is renewed by ACME any more. Raises OSError."""
    _file(state).unlink(missing_ok=True)


def _file(state: StateFolder) -> Path:
    return state.certificates / "acme.json"
