"""Worst cases of what reads searches and synchronization states of Exchange Web Services."""

from __future__ import annotations

from contextlib import suppress

from postern.protocols.ews import sync_states
from postern.protocols.ews.errors import EwsError
from tests.bounds.growth import Cases, Work

E = "protocols.ews."


def _refused(work: Work) -> Work:
    def refused() -> None:
        with suppress(EwsError):
            work()

    return refused


CASES: Cases = {
    E + "sync_states.read_items_state": lambda size: _refused(lambda: sync_states.read_items_state("A" * size)),
    E + "sync_states.read_folders_state": lambda size: _refused(lambda: sync_states.read_folders_state(" " * size)),
}
