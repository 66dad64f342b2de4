"""Captures: each filter takes the row's packets in both directions and no others; several hosts' files become one, in order."""

from __future__ import annotations

import shutil
import signal
import struct
import subprocess
import sys

import pytest

from postern.host import configuration
from postern.lab import organization
from postern.lab.capture import _HEADER, _records, filter_of, taps, until_told
from postern.lab.plan import MACHINES, LabError
from postern.model.organization import Profile
from postern.paths.openings import ANYONE, Opening
from postern.paths.row import Wire

INSIDE = configuration.parse(organization.inside_text(MACHINES, Profile.PRACTICAL))


def test_each_direction_stands_in_parentheses_of_its_own() -> None:
    opening = Opening("imap4", True, Wire.TCP, 993, 993, ("10.77.3.50",), False)
    assert filter_of([opening], "10.77.1.40") == (
        "((((tcp dst port 993) and dst host 10.77.1.40) or ((tcp src port 993) and src host 10.77.1.40))"
        " and (host 10.77.3.50))"
    )


def test_taps_are_where_the_row_ends() -> None:
    assert {tap.host for tap in taps(INSIDE, "imap4", MACHINES)} == {"cas1", "cas2"}
    assert {tap.host for tap in taps(INSIDE, "hub-to-ad", MACHINES)} == {"dc1", "dc2"}
    assert taps(INSIDE, "edge-adam", MACHINES)[0].interface == "lo"


@pytest.mark.parametrize(("row", "words"), [("imap5", "no row is called"), ("owa", "opens no port for owa")])
def test_a_row_without_packets_is_told(row: str, words: str) -> None:
    with pytest.raises(LabError, match=words):
        taps(INSIDE, row, MACHINES)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump to compile the filters")
@pytest.mark.parametrize("row", ["imap4", "hub-to-ad", "cas-to-mailbox", "edge-to-edge", "edge-adam"])
def test_tcpdump_takes_the_filters(row: str) -> None:
    for tap in taps(INSIDE, row, MACHINES):
        done = subprocess.run(
            ["tcpdump", "-d", "-y", "EN10MB", "--", tap.filter], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (tap, done.stderr)


def test_a_network_of_clients_and_anyone_are_filters_too() -> None:
    network = Opening("imap4", True, Wire.TCP, 993, 993, ("10.77.3.0/24",), False)
    assert filter_of([network], "10.77.1.40").endswith(" and (net 10.77.3.0/24))")
    anyone = Opening("dhcp", True, Wire.UDP, 68, 68, ANYONE, False)
    assert filter_of([anyone], "10.77.1.40").endswith("src host 10.77.1.40)))")


def test_records_are_read_whole_and_sorted_by_time() -> None:
    head = _HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)

    def record(seconds: int, data: bytes) -> bytes:
        return struct.pack("=IIII", seconds, 7, len(data), len(data)) + data

    late, early = _records(head + record(5, b"late")), _records(head + record(3, b"early"))
    assert [packet[-4:] for _, _, packet in sorted(late + early)] == [b"arly", b"late"]
    with pytest.raises(LabError, match="no pcap"):
        _records(b"garbage of some length, but no capture")


_WAITS = """
import sys
from postern.lab.capture import until_told
until_told(None, lambda: print("ready", flush=True))
print("told", flush=True)
"""


@pytest.mark.parametrize("shell", ["exec", "trap '' INT; exec"], ids=["in the foreground", "with SIGINT ignored"])
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_capture_ends_when_it_is_told_however_it_was_started(shell: str, told: signal.Signals) -> None:
    with subprocess.Popen(
        ["sh", "-c", f'{shell} "$@"', "sh", sys.executable, "-c", _WAITS], stdout=subprocess.PIPE, text=True
    ) as taking:
        assert taking.stdout is not None
        try:
            assert taking.stdout.readline() == "ready\n"
            taking.send_signal(told)
            assert taking.communicate(timeout=30)[0] == "told\n"
        finally:
            taking.kill()
    assert taking.returncode == 0


def test_a_capture_ends_after_its_seconds() -> None:
    ready: list[bool] = []
    until_told(0.01, lambda: ready.append(True))
    assert ready == [True]
