"""What the supervisor does about certificates between its turns: it renews, warns, and has the edge's slapd read another one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from postern.host import certificates, configuration, own_certificate, state
from postern.host.engines import adam
from postern.host.supervision import launch, processes
from postern.host.supervision.certificate_renewal import Renewal
from postern.model.organization import StateFolder
from postern.telemetry.log import Event
from tests.host.folders import short_folder

ORGANIZATION = configuration.parse(configuration.DEFAULT.format(offset=0))
SERVER = ORGANIZATION.servers[0]
NOW = datetime.datetime.now(datetime.UTC)


class Slapd(adam.AdamEngine):
    """An edge's directory server that only counts how often it was stopped."""

    def __init__(self) -> None:
        self.stopped = 0

    def stop(self) -> None:
        self.stopped += 1


class NoRenewal(Renewal):
    def __init__(self) -> None:
        self.turns = 0

    def turn(self) -> None:
        self.turns += 1

    def soon(self) -> None:
        pass

    def processes(self) -> Mapping[int, str]:
        return {7: "acme"}


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with short_folder() as made:
        folder = state.create(made)
        certificates.ensure(folder, ORGANIZATION, SERVER, NOW)
        yield folder


def launched(folder: StateFolder) -> launch._Launch:
    return launch._Launch(folder, cast(processes.Lock, None), launch.LaunchRequest(), lambda step: None)


def test_the_edges_slapd_is_started_again_for_each_certificate_and_for_nothing_else(folder: StateFolder) -> None:
    one, slapd, renewal = launched(folder), Slapd(), NoRenewal()
    seen: list[dict[int, str]] = []
    one.started.append(slapd)
    look = one._watch(renewal, lambda children: seen.append(dict(children)))
    look({1: "hub.0"})
    look({1: "hub.0"})
    assert slapd.stopped == 0 and seen[-1] == {1: "hub.0", 7: "acme"} and renewal.turns == 2
    own_certificate.renew_locally(folder, ORGANIZATION, SERVER)
    look({})
    look({})
    assert slapd.stopped == 1
    certificates.place(folder).key.rename(folder.root / "away")
    look({})
    (folder.root / "away").rename(certificates.place(folder).key)
    look({})
    assert slapd.stopped == 2, "a key that came back may be another; while it is gone nothing can be read"


def test_the_end_is_told_once_a_day(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Event, dict[str, Any]]] = []
    monkeypatch.setattr(launch, "log", lambda event, **values: told.append((event, values)))
    one, here = launched(folder), own_certificate.in_place(folder)
    assert here is not None
    monkeypatch.setattr(own_certificate, "expiring", lambda *_: [("server", here.leaf)])
    for _ in range(3):
        one._refresh(ORGANIZATION, SERVER, NoRenewal())
    (event, values), *more = told
    assert event is Event.CERTIFICATE_EXPIRES and values["certificate"] == "server" and values["days"] == 396
    assert not more
    one.tell_again["server"] -= launch.TELL_EVERY
    one._refresh(ORGANIZATION, SERVER, NoRenewal())
    assert len(told) == 2


def test_a_damaged_certificate_is_told_and_ends_nothing(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    monkeypatch.setattr(launch, "log", lambda event, **values: told.append(event))
    certificates.place(folder).chain.write_text("hello")
    launched(folder)._refresh(ORGANIZATION, SERVER, NoRenewal())
    assert told == [Event.CERTIFICATE_FAILED]
