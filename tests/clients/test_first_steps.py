"""The lines that README.md and `postern run` tell to type next: run as they stand there, so that they cannot rot."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.people import SECONDS, Mailbox, tool
from tests.organization import PASSWORD, POSTERN, Organization

pytestmark = pytest.mark.slow
README = Path(__file__).parents[2] / "README.md"
OFFSET, DEMO_PASSWORD, STATE = 10000, "postern-demo", "/var/lib/postern"
"""What `make run` sets, and what README therefore says."""


def printed(organization: Organization) -> list[str]:
    """The commands below "Next:"."""
    below = organization.log.read_text().partition("\nNext:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in below.splitlines() if not line.strip().startswith("Mailboxes:")]


def readme() -> list[str]:
    """Its commands below `make run`, which starts what runs here already: indented lines, with continued ones as one. Those of
    the lab have a stage of their own (tests/lab)."""
    text = re.sub(r" *\\\n +", " ", README.read_text(encoding="utf-8"))
    return re.findall(r"^ {4}((?:swaks|curl|postern(?! lab)) .*?)(?: +#.*)?$", text, re.MULTILINE)


def here(organization: Organization, command: str) -> str:
    """A command of README with this organization's ports, password and folder in place of `make run`'s."""
    command = re.sub(
        r"127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{organization.port(int(found[1]) - OFFSET)}", command
    )
    command = re.sub(rf"\S*{DEMO_PASSWORD}", lambda found: quoted(found[0].replace(DEMO_PASSWORD, PASSWORD)), command)
    return command.replace(STATE, str(organization.state))


def quoted(words: str) -> str:
    return f"'{words}'"


def typed(command: str, organization: Organization) -> str:
    for name in ("swaks", "curl"):
        if command.startswith(name):
            tool(name)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * SECONDS,
        env={
            "PATH": f"{Path(POSTERN).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
        }
        | {"POSTERN_STATE": str(organization.state)},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def test_readme_says_what_run_prints(organization: Organization) -> None:
    told = {command.split()[0]: here(organization, command) for command in readme() if command[:4] in ("swak", "curl")}
    assert told.keys() == {"swaks", "curl"}
    for command in printed(organization)[:2]:
        assert told[command.split()[0]].replace("'", "") == command.replace("'", "")


def test_the_printed_lines(organization: Organization) -> None:
    swaks, curl, verify = printed(organization)
    assert verify.replace(POSTERN, "postern").startswith("postern verify")
    assert "queued as" in typed(swaks, organization)
    Mailbox(organization, "bob@example.test").arrived("test ")
    read = typed(curl, organization)
    assert "Subject: test " in read and "This is a test mailing" in read


@pytest.mark.parametrize("command", readme())
def test_readme(organization: Organization, command: str) -> None:
    said = typed(here(organization, command), organization)
    assert said or "|" in command
