"""The web space of DAV: what a path names, and the paths of things.

/dav/                                    the root
/dav/principals/users/ADDRESS/           a user
/dav/calendars/ADDRESS/                  the home of his calendars, and of his lists of tasks
/dav/calendars/ADDRESS/SEGMENT/NAME      an appointment or a task
/dav/addressbooks/ADDRESS/SEGMENT/NAME   a contact
/dav/files/ADDRESS/...                   documents, in folders of any depth
/dav/attachments/ADDRESS/NAME            a managed attachment of an appointment or a task
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ROOT = "/dav/"
MAX_LEVELS = 32
"""Folders below each other in files; the store has as many."""


class Space(StrEnum):
    """The part of the web space that a path is in."""

    ROOT = ""
    PRINCIPALS = "principals"
    CALENDARS = "calendars"
    ADDRESSBOOKS = "addressbooks"
    FILES = "files"
    ATTACHMENTS = "attachments"


HOMES = (Space.CALENDARS, Space.ADDRESSBOOKS, Space.FILES)


@dataclass(frozen=True, slots=True)
class Place:
    """The thing that a path names. `address` is the owner as the path has it, "" above the homes; `names` are the segments below
    his home. `is_slashed`: the path ends in a slash, as those of collections do."""

    space: Space
    address: str = ""
    names: tuple[str, ...] = ()
    is_slashed: bool = True

    @property
    def is_home(self) -> bool:
        return self.space in HOMES and bool(self.address) and not self.names


def place_of(path: str) -> Place | None:
    """Reads a decoded path; None where nothing can be.

    Bound: linear; at most MAX_LEVELS segments below a home.
    """
    segments = path.split("/")
    if len(segments) < 2 or segments[0] or segments[1].lower() != "dav":
        return None
    is_slashed = segments[-1] == ""
    segments = segments[2:-1] if is_slashed else segments[2:]
    if not all(segments):
        return None
    if not segments:
        return Place(Space.ROOT)
    name = segments[0].lower()
    if name == Space.PRINCIPALS:
        # "users" has no address yet; it is told from the collection above it by its name.
        if len(segments) > 1 and segments[1].lower() != "users":
            return None
        if len(segments) > 3:
            return None
        return Place(Space.PRINCIPALS, "".join(segments[2:]), ("users",) if len(segments) == 2 else ())
    if name == Space.ATTACHMENTS:
        is_one = len(segments) == 3 and not is_slashed
        return Place(Space.ATTACHMENTS, segments[1], (segments[2],), False) if is_one else None
    if name not in HOMES or len(segments) > MAX_LEVELS + 2:
        return None
    space = Space(name)
    names = tuple(segments[2:])
    if space is not Space.FILES and len(names) > 2:
        return None
    return Place(space, segments[1] if len(segments) > 1 else "", names, is_slashed)


def principal_path(address: str) -> str:
    return f"{ROOT}principals/users/{address}/"


def home_path(space: Space, address: str) -> str:
    return f"{ROOT}{space}/{address}/"


def path_in(place: Place, address: str) -> str:
    """Returns the path of a place in the homes of this owner, without a slash at the end."""
    return "/".join([f"{ROOT}{place.space}", address, *place.names])
