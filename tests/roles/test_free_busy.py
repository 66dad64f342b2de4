"""Free/busy of a client access process: the organizations that postern.toml names, with the passwords in their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from postern.model.availability import AvailabilitySpace
from postern.model.organization import Organization, Profile
from postern.paths.table import settle
from postern.protocols.ews.foreign_availability import MAX_OCTETS
from postern.roles import free_busy
from postern.services.ews.other_organizations import ForeignAvailability
from postern.telemetry.observed import Observed
from tests.services.autodiscover.callers import organization


def others(values: Organization) -> ForeignAvailability | None:
    runtime = SimpleNamespace(organization=values, rows=settle(Profile.PRACTICAL), observed=Observed(None))
    return free_busy._others(cast(Any, runtime))


def test_nobody_is_asked_without_a_table() -> None:
    assert others(organization()) is None


def test_without_authorities_nobody_is_asked(tmp_path: Path) -> None:
    spaces = (AvailabilitySpace("other.test", "https://mail.other.test/EWS/Exchange.asmx", "us", "x"),)
    assert others(replace(organization(), availability=spaces, authorities=str(tmp_path / "none.pem"))) is None


def test_each_domain_has_its_place_and_its_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    spaces = (
        AvailabilitySpace("other.test", "https://mail.other.test:8443/EWS/Exchange.asmx", "us@other.test", str(file)),
        AvailabilitySpace("회사.test", "https://mail.other.test/EWS/Exchange.asmx", "us", str(file)),
    )
    asked = others(replace(organization(), availability=spaces))
    assert asked is not None and asked.serves("other.test") and asked.serves("xn--vf4b131b.test")
    assert not asked.serves("example.test")
    assert asked._outgoing._most == MAX_OCTETS, "what its reader takes"
    place = asked._organizations["other.test"]
    assert (place.target.host, place.target.port, place.user) == ("mail.other.test", 8443, "us@other.test")
    with pytest.raises(OSError, match="password"):
        place.password()
    for secret in ("first\n", "second\r\n"):
        file.write_text(secret, encoding="utf-8", newline="")
        assert place.password() == secret.strip(), "a changed password counts at once"
