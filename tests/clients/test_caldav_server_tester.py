"""caldav-server-tester asks for a hundred features of a CalDAV server, over TLS, as two users. What it does not find in full
stands here with the reason."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.organization import PASSWORD, Organization

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).with_name("caldav-server-tester")
_FEATURE = re.compile(r"^## (\S+)\nFeature support level found: (\S+)$", re.MULTILINE)
NOT_IN_FULL = {
    "create-calendar.auto": "a calendar that is not there is not made by looking at it",
    "get-current-user-principal.has-calendar": "a user has one; the tester grades that with a question mark",
    "search.text.comp-type-optional": "a filter on VCALENDAR is about the properties of VCALENDAR (RFC 4791 section 9.7.2)",
    "search.time-range.comp-type-optional": "a time range belongs to a component that is in time (RFC 4791 section 9.9)",
    "url.encode-at.identity": "@ and %40 in a path name the same, so that no client is lost with either",
    "well-known": "the tester does not ask for it on localhost; tests/clients/test_thunderbird.py does",
    "principal-search": "its parts are listed",
    "principal-search.list-all": "the library wants the calendar home of everybody who is listed, of groups and contacts, too",
}
LETTERS = ("scheduling.auto-schedule", "scheduling.schedule-tag.stable-partstat")
"""Features whose probes wait for a message, and may see that of the probe before: they are asked for in an order of their own."""


def run(folder: Path, organization: Organization, *checks: str) -> dict[str, str]:
    """The grades of features by name."""
    sections = {}
    for name in ("tester", "other"):
        sections[name] = {
            "caldav_url": f"https://localhost:{organization.port(443)}/dav/",
            "caldav_username": f"{name}@example.test",
            "caldav_password": PASSWORD,
            "caldav_ssl_verify_cert": str(organization.authority),
        }
    (folder / "caldav.json").write_text(json.dumps(sections))
    asked = [argument for check in checks for argument in ("--run-checks", check)]
    done = subprocess.run(
        [PROGRAM, "--config-section", "tester", "--config-section", "other", "--verbose", *asked],
        env={**os.environ, "CALDAV_CONFIG_FILE": str(folder / "caldav.json"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(_FEATURE.findall(done.stdout))


@pytest.mark.skipif(not PROGRAM.exists(), reason="caldav-server-tester is not installed")
def test_every_feature_is_there(organization: Organization, tmp_path: Path) -> None:
    for name in ("tester", "other"):
        organization.add_user(name)
    grades = run(tmp_path, organization)
    assert len(grades) > 100
    missing = {
        name: grade for name, grade in grades.items() if grade != "full" and name not in (*NOT_IN_FULL, *LETTERS)
    }
    assert missing == {}
    grades = run(tmp_path, organization, "CheckSchedulingInboxDelivery", "CheckScheduleTagStablePartstat")
    asked = {name: grade for name, grade in grades.items() if name.startswith("scheduling")}
    assert set(LETTERS) < set(asked) and set(asked.values()) == {"full"}, asked
