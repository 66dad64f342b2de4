"""Joins the results of the knocks with the verdicts of the hosts that dialled the rows in full: one matrix, host x path. Pure.

A knock shows that a packet passes. Only a rightful caller that dialled the row in full has proven the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from postern.lab.dialling import Dialled
from postern.lab.matrix import Cell, State
from postern.verify.plan import is_dialled_at_home

Cells = Mapping[str, Mapping[str, Cell]]
_PASS, _FAIL = "pass", "fail"


def join(knocked: Cells, dialled: Sequence[Dialled], hosts: Sequence[str]) -> dict[str, dict[str, Cell]]:
    """The joined cells, by row and host. `knocked` has a cell for each of `hosts`. Rows that open no door to other hosts are
    added if some host dialled them."""
    by_row: dict[str, list[Dialled]] = {}
    for outcome in dialled:
        if outcome.verdict in (_PASS, _FAIL):
            by_row.setdefault(outcome.row, []).append(outcome)
    none = {host: Cell(State.NO_DOOR) for host in hosts}
    rows = dict.fromkeys((*knocked, *by_row))
    return {
        row: {host: _cell(knocked.get(row, none)[host], host, by_row.get(row, ())) for host in hosts} for row in rows
    }


def _cell(knocked: Cell, host: str, outcomes: Sequence[Dialled]) -> Cell:
    if knocked.state.wrong:
        return knocked
    if failed := [outcome.detail for outcome in outcomes if outcome.host == host and outcome.verdict == _FAIL]:
        return Cell(State.FAILS, tuple(failed))
    mine = [outcome for outcome in outcomes if outcome.host == host]
    if knocked.state is State.NO_DOOR:
        return Cell(State.PROVEN) if mine else knocked
    # A server that answers strangers and users dials itself. That shows that its door works, and not that it calls others.
    if knocked.state is State.PASSES and any(
        not is_dialled_at_home(outcome.row) or not _of_server(outcome) for outcome in mine
    ):
        return Cell(State.PROVEN)
    refusing = any(outcome.refusals for outcome in outcomes) and all(outcome.verdict == _PASS for outcome in outcomes)
    if knocked.state is State.SHARED and refusing:
        return Cell(State.REFUSES, knocked.because)
    return knocked


def _of_server(outcome: Dialled) -> bool:
    return outcome.what == "postern verify"


def proven(dialled: Iterable[Dialled]) -> list[str]:
    """The rows that passed on some host, and failed on none."""
    verdicts_of: dict[str, set[str]] = {}
    for outcome in dialled:
        verdicts_of.setdefault(outcome.row, set()).add(outcome.verdict)
    return [row for row, verdicts in verdicts_of.items() if _PASS in verdicts and _FAIL not in verdicts]


def unproven(dialled: Sequence[Dialled], due: Collection[str]) -> list[str]:
    """The rows of `due` that no host has a verdict on, because their rightful callers were silent."""
    heard = {outcome.row for outcome in dialled if outcome.verdict in (_PASS, _FAIL)}
    return [row for row in due if row not in heard]
