"""The reference's own cells: `data-paths.tsv`, by the id of the row.

The file is part of this package. It is read once, when this module is imported, by the loader that reads the package's modules.
It is the reference letter by letter and is never edited to fit the code: `tests/paths` holds its checksum, and compares
the typed rows with its cells.
"""

from __future__ import annotations

import csv
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from postern.paths.row import Cells, Table


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: the row's table, its name, and its other cells."""

    table: Table
    name: str
    cells: Cells


def _read() -> dict[str, Line]:
    octets = pkgutil.get_data(__package__, "data-paths.tsv")
    assert octets is not None, "this package's loader gives no data"
    cells = csv.DictReader(octets.decode().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {
        line["id"]: Line(
            Table(line["section"]),
            line["path"],
            Cells(
                line["ports"],
                line["default_auth"],
                line["supported_auth"],
                line["encryption"],
                line["encrypted_by_default"],
                line["notes"],
            ),
        )
        for line in cells
    }


LINES: Mapping[str, Line] = MappingProxyType(_read())
