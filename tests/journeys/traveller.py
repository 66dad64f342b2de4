"""Mail clients that nobody here wrote, as one person on one host would use them, and the journeys of one mail.

`prefix` is put before each command (`ip netns exec NAME`), so that the same journeys pass from another network namespace.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tests.journeys.remote import Remote
from tests.organization import PASSWORD, Organization

PATIENCE = 20.0
"""Seconds within which what is to happen soon happens, on a busy machine."""
T = TypeVar("T")


def until(look: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Looks again and again until there is something; returns it."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(0.1)
    return found


def new_id() -> str:
    return f"<{uuid.uuid4().hex}@journey.test>"


@dataclass(frozen=True, slots=True)
class Traveller:
    """`host` is the organization's address as this client sees it."""

    organization: Organization
    host: str = "127.0.0.1"
    prefix: Sequence[str] = ()

    def send(
        self, sender: str, recipient: str, message_id: str, *, port: int = 25, login: str = "", secure: str = "--tls"
    ) -> subprocess.CompletedProcess[str]:
        """swaks, over TLS; with `login` it proves itself by PLAIN."""
        proof = ("--auth", "PLAIN", "--auth-user", login, "--auth-password", PASSWORD) if login else ()
        return self._run(
            *("swaks", "--server", f"{self.host}:{self.organization.port(port)}", secure, "--from", sender),
            *("--to", recipient, "--h-Message-Id", message_id, "--body", f"body of {message_id}", *proof),
        )

    def found_by_imap(self, user: str, words: str) -> str:
        """curl over STARTTLS: the newest message whose text holds `words`, or ""."""
        folder = f"imap://{self.host}:{self.organization.port(143)}/INBOX"
        found = self.search_by_imap(user, words)
        return self._curl(user, f"{folder};MAILINDEX={found[-1]}") if found else ""

    def search_by_imap(self, user: str, words: str) -> list[str]:
        """The numbers of all messages whose text holds `words`."""
        folder = f"imap://{self.host}:{self.organization.port(143)}/INBOX"
        return self._curl(user, folder, "-X", f'SEARCH TEXT "{words}"').split()[2:]

    def found_by_pop3(self, user: str, words: str) -> str:
        """curl on the implicit TLS port: the newest message whose text holds `words`, or ""."""
        drop = f"pop3s://{self.host}:{self.organization.port(995)}/"
        for line in reversed(self._curl(user, drop).splitlines()):
            content = self._curl(user, drop + line.split()[0])
            if words in content:
                return content
        return ""

    def logon(self, user: str) -> bool:
        done = self._try_curl(user, f"imaps://{self.host}:{self.organization.port(993)}/", "-X", "NOOP")
        return done.returncode == 0

    def _curl(self, user: str, *words: str) -> str:
        done = self._try_curl(user, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _try_curl(self, user: str, *words: str) -> subprocess.CompletedProcess[str]:
        proof = ("--cacert", str(self.organization.authority), "--ssl-reqd", "--user", f"{user}:{PASSWORD}")
        return self._run("curl", "-sS", "--max-time", "20", *proof, *words)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        if shutil.which(words[0]) is None:
            pytest.skip(f"{words[0]} is not installed")
        return subprocess.run([*self.prefix, *words], capture_output=True, text=True, timeout=60)


def steps(organization: Organization, message_id: str, last: str) -> dict[str, dict[str, Any]]:
    """What `postern trace` tells of a message, by step, once the step `last` is in it."""

    def look() -> dict[str, dict[str, Any]] | None:
        done = organization.command("trace", message_id, "--json", check=False)
        found = {step["step"]: step for step in json.loads(done.stdout or "[]")} if done.returncode == 0 else {}
        return found if last in found else None

    found = until(look, f"the step {last} of {message_id}")
    assert found is not None
    return found


# The journeys of one mail


def from_a_stranger(traveller: Traveller, user: str) -> None:
    """The internet to a mailbox, read over IMAP4 and POP3; each step is in the tracking log with its path and seal."""
    message_id = new_id()
    done = traveller.send("stranger@elsewhere.test", user, message_id)
    assert done.returncode == 0, done.stdout
    read = until(lambda: traveller.found_by_imap(user, message_id), "the message by IMAP4")
    assert f"body of {message_id}" in read
    assert "Return-Path: <stranger@elsewhere.test>" in read
    assert traveller.found_by_pop3(user, message_id).splitlines() == read.splitlines()
    trace = steps(traveller.organization, message_id, "deliver")
    assert trace["receive"]["path"] == "internet-to-hub"
    assert trace["receive"]["mechanism"] == "Anonymous"
    assert trace["receive"]["cipher"].startswith("TLS_")
    assert trace["deliver"]["path"] == "hub-to-mailbox-mapi"
    assert trace["deliver"]["mechanism"] == "Peer credentials"
    assert trace["deliver"]["cipher"]
    assert all(step["peer"] for step in trace.values())


def submitted(traveller: Traveller, sender: str, recipient: str, remote: Remote) -> None:
    """A client's message to a mailbox here, and one to another organization, which gets it over TLS."""
    local, outward = new_id(), new_id()
    for message_id, to in ((local, recipient), (outward, "someone@elsewhere.test")):
        done = traveller.send(sender, to, message_id, port=587, login=sender)
        assert done.returncode == 0, done.stdout
    assert f"body of {local}" in until(lambda: traveller.found_by_imap(recipient, local), "the message here")
    taken = until(lambda: remote.has(outward), "the message elsewhere")
    assert taken is not None
    assert (taken["sender"], taken["recipients"]) == (sender, ["someone@elsewhere.test"])
    assert taken["seal"] == "TLSv1.3"
    trace = steps(traveller.organization, outward, "send")
    assert trace["receive"]["path"] == "client-to-hub-smtp"
    assert trace["receive"]["mechanism"] == "Basic"
    assert trace["receive"]["cipher"].startswith("TLS_")
    assert trace["send"]["path"] == "hub-to-internet"
    assert trace["send"]["cipher"].startswith("TLS_")
    assert remote.address in trace["send"]["peer"]
