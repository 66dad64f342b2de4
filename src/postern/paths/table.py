"""THE TABLE: the reference's 52 rows and ours, by id. A profile settles them.

`TABLE` is the reference to the letter. `settle` returns the rows that hold for an organization under a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from postern.model.organization import Profile
from postern.model.words import meant
from postern.paths import profiles
from postern.paths.client_access import CLIENT_ACCESS
from postern.paths.mailbox import MAILBOX
from postern.paths.ours import OURS
from postern.paths.row import Path
from postern.paths.transport import TRANSPORT
from postern.paths.unified_messaging import UNIFIED_MESSAGING

REFERENCE: tuple[Path, ...] = TRANSPORT + MAILBOX + CLIENT_ACCESS + UNIFIED_MESSAGING
"""The reference's rows in its order."""

TABLE: Mapping[str, Path] = MappingProxyType({row.id: row for row in REFERENCE + OURS})
FROM_STRANGERS = frozenset(row.id for row in TABLE.values() if row.strangers)
"""The ids of rows on which strangers' mail comes: a queued message's origin has only the id."""
OF_THE_MACHINE = frozenset(row.id for row in TABLE.values() if row.machine)
"""The ids of rows that the machine's own services use: a socket that the kernel shows has only the ids of its rows."""


def no_row(name: str) -> str:
    """The message about a row that does not exist."""
    return f"no row is called {name}{meant(name, TABLE) or '; `postern paths` lists them'}"


def settle(profile: Profile) -> dict[str, Path]:
    """Every row as `profile` has it, in the table's order."""
    return dict(_settled(profile))


def deviations(profile: Profile, against: Profile) -> list[tuple[Path, Path]]:
    """The rows that differ, each as `profile` and as `against` has it, in the table's order."""
    left, right = _settled(profile), _settled(against)
    return [(row, right[id]) for id, row in left.items() if not same(row, right[id])]


def same(left: Path, right: Path) -> bool:
    """Whether two settlings of one row ask the same of a connection."""
    return (left.ports, left.default_auth, left.supported_auth, left.encryption, left.seal) == (
        right.ports,
        right.default_auth,
        right.supported_auth,
        right.encryption,
        right.seal,
    )


@lru_cache
def _settled(profile: Profile) -> Mapping[str, Path]:
    return MappingProxyType({id: profiles.apply(profile, row) for id, row in TABLE.items()})
