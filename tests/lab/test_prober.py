"""The prober says what came back: an answer, a refusal, or nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from postern.lab import prober


def knock(*lines: str) -> dict[str, list[str]]:
    said = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(prober.__file__))],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    return {" ".join(words[:3]): words[3:] for line in said.splitlines() if (words := line.split())}


def test_a_listener_answers_and_a_free_port_refuses() -> None:
    with socket.socket() as listener, socket.socket() as free:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        free.bind(("127.0.0.1", 0))
        lines = [f"TCP 127.0.0.1 {one.getsockname()[1]}" for one in (listener, free)]
        found = knock(*lines)
    assert found == {lines[0]: ["answered", "1"], lines[1]: ["refused", "1"]}


def test_datagrams_are_refused_where_nobody_listens_and_silent_where_nobody_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        silent = f"UDP 127.0.0.1 {mute.getsockname()[1]}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            refused = f"UDP 127.0.0.1 {gone.getsockname()[1]}"
        found = knock(silent, refused)
    assert (found[silent][0], found[refused][0]) == ("silent", "refused")


def test_a_listener_whose_queue_is_full_is_silent_and_cost_one_packet() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            line = f"TCP 127.0.0.1 {full.getsockname()[1]}"
            assert knock(line)[line] in (["silent", "1"], ["silent", "2"])


def test_nothing_to_knock_at_is_nothing_to_say() -> None:
    assert knock() == {}
