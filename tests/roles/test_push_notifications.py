"""What sends notifications of Exchange Web Services: made from postern.toml, or the reason why it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from structlog.testing import capture_logs

from postern.model.organization import Organization, Profile, PushNotifications
from postern.paths.table import settle
from postern.roles.push_notifications import pusher
from postern.services.ews.pushing import NoPusher, Pusher
from postern.telemetry.observed import Observed
from tests.services.autodiscover.callers import organization


def made(values: Organization) -> Pusher | NoPusher | None:
    runtime = SimpleNamespace(organization=values, rows=settle(Profile.PRACTICAL), observed=Observed(None))
    logon = SimpleNamespace(
        authenticator=SimpleNamespace(reauthorization=SimpleNamespace(register=None)), before_stop=[]
    )
    return pusher(cast(Any, runtime), cast(Any, logon))


def test_nothing_is_sent_unless_it_is_configured() -> None:
    assert made(organization()) is None
    assert isinstance(made(replace(organization(), push_notifications=PushNotifications())), Pusher)


def test_without_authorities_the_log_says_so_and_subscriptions_are_refused(tmp_path: Path) -> None:
    values = replace(organization(), push_notifications=PushNotifications(), authorities=str(tmp_path / "none.pem"))
    with capture_logs() as lines:
        assert isinstance(made(values), NoPusher)
    assert [line["event"] for line in lines] == ["notifications-off"] and "cannot be read" in lines[0]["error"]
