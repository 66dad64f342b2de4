"""Out-of-office through a whole organization, while the mailbox server is killed again and again: each who writes has one answer,
and those who are away do not answer each other.

covers: mailbox-assistants
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from exchangelib import BASIC
from exchangelib.settings import OofSettings

from tests import organization
from tests.journeys.imip_peer import SECONDS, context, mails
from tests.journeys.traveller import new_id, until
from tests.organization import PASSWORD, Organization
from tests.services.ews.exchange import account_at

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
AWAY = "alice@example.test"
WRITERS = ("bob@example.test", "carol@example.test", "dave@example.test")
LAST = "erin@example.test"
ROUNDS = 4


@pytest.fixture(scope="module")
def here() -> Iterator[Organization]:
    with organization.with_users("alice", "bob", "carol", "dave", "erin") as made:
        yield made


def _write(here: Organization, sender: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = sender, AWAY, "Lunch?", new_id()
    message.set_content("Today?")
    with smtplib.SMTP("127.0.0.1", here.port(587), timeout=30) as client:
        client.starttls(context=context(here))
        client.login(sender, PASSWORD)
        client.send_message(message)


def _answers(here: Organization, user: str) -> list[str]:
    """The Message-IDs of the answers in a user's inbox. A hub whose report did not reach a mailbox server sends a message once
    more, under the same Message-ID."""
    answers = {str(mail["Message-ID"]) for mail in mails(here, user) if mail["Auto-Submitted"] == "auto-replied"}
    return sorted(answers)


def test_each_who_writes_has_one_answer(here: Organization) -> None:
    text = "Back on <b>Monday</b>"
    here.command("mailbox", "out-of-office", "alice", "--on", "--internal", text)
    bob = account_at(
        f"https://localhost:{here.port(443)}/EWS/Exchange.asmx", here.authority, WRITERS[0], BASIC, PASSWORD
    )
    bob.oof_settings = OofSettings(state=OofSettings.ENABLED, internal_reply="In the pub", external_reply="Away")
    assert bob.oof_settings.internal_reply == "In the pub"
    for number in range(ROUNDS):
        for sender in WRITERS:
            _write(here, sender)
        if number % 2 == 0:
            for worker in here.workers("mailbox"):
                os.kill(worker, signal.SIGKILL)
    until(lambda: all(_answers(here, user) for user in WRITERS), "an answer for each", SECONDS)
    until(lambda: len(mails(here, AWAY)) >= ROUNDS * len(WRITERS), "all mail to alice", SECONDS)
    # When one is answered whose mail came last, all that came before it was looked at.
    _write(here, LAST)
    until(lambda: _answers(here, LAST), "the last answer", SECONDS)
    assert [len(_answers(here, user)) for user in WRITERS] == [1, 1, 1]
    here.command("mailbox", "out-of-office", "alice", "--off")
    here.command("mailbox", "out-of-office", "alice", "--on", "--internal", "Still away")
    _write(here, LAST)
    until(lambda: len(_answers(here, LAST)) == 2, "another answer, for it was switched on anew", SECONDS)
    assert _answers(here, AWAY) == [], "an answer is not answered"
    (answer,) = [mail for mail in mails(here, WRITERS[0]) if mail["Auto-Submitted"]][:1]
    assert (answer["Subject"], answer["Return-Path"]) == ("Automatic reply: Lunch?", "<>")
    assert [part.get_content_type() for part in answer.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    (box,) = json.loads(here.command("mailbox", "stats", "alice", "--json").stdout)
    counts = {"/".join(folder["folder"]): folder["messages"] for folder in box["folders"]}
    assert counts["Sent Items"] == 0, "answers are not kept"
