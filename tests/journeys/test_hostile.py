"""While hostile mails of a megabyte arrive and a poison lies in somebody's Outbox, everybody else is served.

How long the others waited is printed, and decides nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests import organization
from tests.journeys.hostile import AUTHOR, BEHIND, MAILS, OTHER, VICTIM, Flood
from tests.organization import Organization

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]


@pytest.fixture(scope="module")
def here() -> Iterator[Organization]:
    with organization.with_users(VICTIM, AUTHOR, OTHER) as made:
        yield made


def test_hostile_mails_and_poison_stop_nobody(here: Organization, capsys: pytest.CaptureFixture[str]) -> None:
    with Flood(here, 2 * len(MAILS)) as flood:
        settled = flood.wait(90)
    with capsys.disabled():
        print(f"\n{flood.account()}")
    assert settled, "each is answered, the outbox and the queues are empty"
    assert flood.events() == {}, "no worker was silent, killed or started again"
    assert [waits.failed for waits in (flood.log_ins, flood.greetings, flood.turns)] == [[], [], []]
    # Taken, or refused for good because of what it holds.
    assert set(flood.answers.values()) <= {250, 550, 552, 554}, flood.answers
    assert len(flood.answers) == 2 * len(MAILS)
    taken = [message_id for message_id, code in flood.answers.items() if code == 250]
    arrived = [one for one in flood.stored(VICTIM, "INBOX") if not one.endswith("@server1.example.test>")]
    assert Counter(arrived) == Counter([*taken, BEHIND]), "each that was taken, and what lay behind the poison, once"
    poison = here.command("queue", "list", "--poison").stdout
    assert "no message is set aside" in poison
    assert flood.count(AUTHOR, "INBOX") >= 1, "what could not be sent came back with words"
