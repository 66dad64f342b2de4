"""What the watch says of a process's sockets; the supervisor's own test has it at work."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Iterator

import pytest

from postern.host import configuration, state
from postern.host.supervision import watch
from postern.model.organization import StateFolder
from postern.paths import fit
from postern.paths.row import Port, Wire
from postern.paths.table import TABLE, settle
from tests.host.folders import short_folder

ORGANIZATION = configuration.parse(configuration.DEFAULT.format(offset=0))
ME = {os.getpid(): "hub.0"}


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with short_folder() as made:
        yield state.create(made)


@pytest.fixture
def look(folder: StateFolder) -> watch.Watch:
    one = watch.Watch(ORGANIZATION, ORGANIZATION.servers[0], folder)
    one(ME)  # what pytest itself has open is told here, once
    return one


def words(folder: StateFolder) -> list[str]:
    return [alarm.socket for alarm in watch.read(folder)]


def test_a_rogue_is_told_once_and_again_when_it_comes_again(folder: StateFolder, look: watch.Watch) -> None:
    before = len(words(folder))
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as rogue:
            port = rogue.getsockname()[1]
            look(ME)
            look(ME)
            assert words(folder)[-1] == f"TCP 127.0.0.1:{port} listening"
        look(ME)
    assert len(words(folder)) == before + 2


def test_datagram_sockets_are_judged_too(folder: StateFolder, look: watch.Watch) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as rogue:
        rogue.bind(("127.0.0.1", 5353))
        look(ME)
        assert words(folder)[-1] == "UDP 127.0.0.1:5353 listening"


@pytest.fixture
def with_row(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The number of a UDP port that a hub's row has, for this test alone."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    row = dataclasses.replace(TABLE["internet-to-hub"], id="of-a-test", ports=(Port(number, Wire.UDP),))
    monkeypatch.setattr(fit, "settle", lambda profile: {**settle(profile), row.id: row})
    fit._allowed.cache_clear()
    yield number
    fit._allowed.cache_clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_udp_door_of_a_row_is_right_and_a_port_beside_it_is_not(
    folder: StateFolder, with_row: int, host: str
) -> None:
    now = 0.0
    look = watch.Watch(ORGANIZATION, ORGANIZATION.servers[0], folder, lambda: now)
    look(ME)
    before = words(folder)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((host, with_row))
        look(ME)
        now += 2 * watch.QUESTION_LASTS
        look(ME)
        assert words(folder) == before
    with socket.socket(type=socket.SOCK_DGRAM) as rogue:
        rogue.bind(("127.0.0.1", 5353))
        look(ME)
        assert words(folder) == [*before, "UDP 127.0.0.1:5353 listening"]


def test_a_listener_on_a_lent_port_is_a_question_that_does_not_end(folder: StateFolder) -> None:
    now = 0.0
    look = watch.Watch(ORGANIZATION, ORGANIZATION.servers[0], folder, lambda: now)
    look(ME)
    before = words(folder)
    with socket.socket(type=socket.SOCK_DGRAM) as rogue:
        rogue.bind(("127.0.0.1", 0))
        look(ME)
        now += watch.QUESTION_LASTS - 1
        look(ME)
        assert words(folder) == before
        now += 1
        look(ME)
        look(ME)
        assert words(folder) == [*before, f"UDP 127.0.0.1:{rogue.getsockname()[1]} listening"]


def test_a_question_to_a_name_server_is_right(folder: StateFolder, look: watch.Watch) -> None:
    before = words(folder)
    with socket.socket(type=socket.SOCK_DGRAM) as question:
        question.connect(("127.0.0.1", 53))
        look(ME)
    assert words(folder) == before


def test_the_machines_own_rows_are_not_ours(folder: StateFolder, look: watch.Watch) -> None:
    """ntp stands in the table for the firewall; a role that speaks to port 123 is a rogue."""
    with socket.socket(type=socket.SOCK_DGRAM) as question:
        question.connect(("127.0.0.1", 123))
        look(ME)
        assert words(folder)[-1].endswith("to 127.0.0.1:123")


def test_a_torn_line_is_passed_over(folder: StateFolder) -> None:
    watch.file(folder).write_text('{"time": 1.0, "process": "hub.0", "pid": 1, "socket": "x"}\n{"time"')
    assert [alarm.process for alarm in watch.read(folder)] == ["hub.0"]


def test_damaged_octets_cost_no_other_alarm(folder: StateFolder) -> None:
    good = b'{"time": 1.0, "process": "hub.0", "pid": 1, "socket": "tcp"}\n'
    alarms = [field.name for field in dataclasses.fields(watch.Alarm)]
    assert set(alarms) == {"time", "process", "pid", "socket"}
    watch.file(folder).write_bytes(b"\xff\n" + good + b"[" * 200_000 + b"\n" + b'{"socket": "\xc3"}\n' + good)
    assert words(folder) == ["tcp", "tcp"]
