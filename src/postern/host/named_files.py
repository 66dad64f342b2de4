"""Files that postern.toml names for dealing with other organizations, as the serving account reads them.

A start goes on without them, for mail and calendars of the organization do not need them; the administrator is told.
"""

from __future__ import annotations

from pathlib import Path

from postern.model.organization import Organization, Role, Server
from postern.trust.certificates.authorities import read_authorities


def unreadable(organization: Organization, server: Server) -> list[str]:
    """Returns a sentence for each file that cannot be read, or does not have what it is for."""
    sentences = []
    if organization.authorities:
        why = _why_no_authorities(Path(organization.authorities))
        if why:
            sentences.append(
                f"authorities in postern.toml: {organization.authorities} {why}. Until it is mended and this host is started "
                "again, no server of another organization is proven, and nothing is sent that needs the proof."
            )
    for space in organization.availability if Role.CLIENT_ACCESS in server.roles else ():
        try:
            Path(space.password_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            sentences.append(
                f"password-file in postern.toml: {space.password_file} cannot be read ({_reason(error)}). Until it can be, "
                f"{space.domain} is not asked when its people are busy."
            )
    return sentences


def _why_no_authorities(file: Path) -> str:
    try:
        return "" if read_authorities(file) else "has no certificate in PEM form"
    except OSError as error:
        return f"cannot be read ({_reason(error)})"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is no text in UTF-8"
