"""Versions of the schema of Exchange Web Services (MS-OXWSCDATA section 2.2.5.13): what a request names, and what an answer may
hold."""

from __future__ import annotations

from enum import IntEnum


class Version(IntEnum):
    """A version of the schema. What came later is in no answer to a request of an earlier one."""

    V2007 = 0
    V2007_SP1 = 1
    V2010 = 2
    V2010_SP1 = 3
    V2010_SP2 = 4
    V2013 = 5
    V2013_SP1 = 6

    @property
    def label(self) -> str:
        """The name of the version in requests and answers, for example "Exchange2007_SP1"."""
        return f"Exchange{self.name[1:]}"


_BY_LABEL = {version.label: version for version in Version} | {"Exchange2012": Version.V2013}
"""The versions by their names. Outlook names 2013 as it was called before its release."""
NEWEST = Version.V2013_SP1
SERVER_INFO = {"MajorVersion": "15", "MinorVersion": "0", "MajorBuildNumber": "847", "MinorBuildNumber": "32"}
"""The build that answers name (MS-OXWSCDATA section 2.2.3.12): the one whose schema is the newest here, for clients choose by it
what they ask for."""


def version_of(label: str) -> Version | None:
    """Reads the name of a version; None: there is none of this name here."""
    return _BY_LABEL.get(label)
