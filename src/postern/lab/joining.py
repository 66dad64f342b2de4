"""Joins what the knocks showed with what the hosts say that dialled the rows in full: one matrix, host x path. Pure.

A knock shows that a packet passes; only who dialled the row in full, as its rightful caller, has proven it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from postern.lab.dialling import Dialled
from postern.lab.matrix import Cell, State
from postern.verify.plan import is_dialled_at_home

Cells = Mapping[str, Mapping[str, Cell]]
_PASS, _FAIL = "pass", "fail"


def join(knocked: Cells, dialled: Sequence[Dialled], hosts: Sequence[str]) -> dict[str, dict[str, Cell]]:
    """`knocked` by row and host, of all `hosts`. Rows that open no door to other hosts are added if some host dialled them."""
    said: dict[str, list[Dialled]] = {}
    for one in dialled:
        if one.verdict in (_PASS, _FAIL):
            said.setdefault(one.row, []).append(one)
    none = {host: Cell(State.NO_DOOR) for host in hosts}
    rows = dict.fromkeys((*knocked, *said))
    return {row: {host: _cell(knocked.get(row, none)[host], host, said.get(row, ())) for host in hosts} for row in rows}


def _cell(knocked: Cell, host: str, said: Sequence[Dialled]) -> Cell:
    if knocked.state.wrong:
        return knocked
    if failed := [one.words for one in said if one.host == host and one.verdict == _FAIL]:
        return Cell(State.FAILS, tuple(failed))
    mine = [one for one in said if one.host == host]
    if knocked.state is State.NO_DOOR:
        return Cell(State.PROVEN) if mine else knocked
    # A server that answers strangers and users dials itself: that shows what its door does, not that it calls others.
    if knocked.state is State.PASSES and any(not is_dialled_at_home(one.row) or not _of_server(one) for one in mine):
        return Cell(State.PROVEN)
    refusing = any(one.refusals for one in said) and all(one.verdict == _PASS for one in said)
    if knocked.state is State.SHARED and refusing:
        return Cell(State.REFUSES, knocked.because)
    return knocked


def _of_server(one: Dialled) -> bool:
    return one.what == "postern verify"


def proven(dialled: Iterable[Dialled]) -> list[str]:
    """Rows of which some host says that they hold, and none that they fail."""
    said: dict[str, set[str]] = {}
    for one in dialled:
        said.setdefault(one.row, set()).add(one.verdict)
    return [row for row, verdicts in said.items() if _PASS in verdicts and _FAIL not in verdicts]


def unproven(dialled: Sequence[Dialled], due: Collection[str]) -> list[str]:
    """Rows of `due` that no host says anything of: their rightful callers were silent."""
    heard = {one.row for one in dialled if one.verdict in (_PASS, _FAIL)}
    return [row for row in due if row not in heard]
