"""The proof of the lab as printed: what holds, and in words all for which it does not."""

from __future__ import annotations

import pytest

from postern.cli.lab_proof import print_proof
from postern.lab.dialling import Dialled, Dialling
from postern.lab.matrix import Cell, State
from postern.lab.proof import Drops, Proof, joined

HOSTS = ("hub1", "cas1", "client1")
KNOCKED = {
    "hub-to-hub": {
        "hub1": Cell(State.PASSES),
        "cas1": Cell(State.BLOCKED),
        "client1": Cell(State.SHARED, ("client-to-hub-smtp",)),
    },
    "imap4": {"hub1": Cell(State.BLOCKED), "cas1": Cell(State.AT_HOME), "client1": Cell(State.PASSES)},
}


def said(host: str, row: str, verdict: str = "pass", words: str = "") -> Dialled:
    return Dialled(host, row, verdict, words, 3, what="postern verify")


def knocks_only() -> Proof:
    return Proof(KNOCKED, {host: Drops(0, 0, 0) for host in HOSTS}, 4, 0.1)


ALL = (said("hub1", "hub-to-hub"), said("cas1", "imap4"))


@pytest.mark.parametrize(
    ("dialling", "words"),
    [
        (Dialling((ALL[0], said("cas1", "imap4", "fail", "TLS 1.1")), {}, {}), "imap4 from cas1 fails: TLS 1.1"),
        (Dialling(ALL[:1], {}, {}), "imap4: no host proved it"),
        (Dialling(ALL, {}, {"hub2": "it does not run"}), "hub2 cannot verify: it does not run"),
    ],
)
def test_whatever_is_missing_is_said_and_the_proof_does_not_hold(
    dialling: Dialling, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = joined(knocks_only(), dialling)
    print_proof(proof, explain=True)
    printed = capsys.readouterr().out
    assert words in printed
    assert "It does not hold" in printed
    assert not proof.holds


def test_all_that_is_proven_holds_and_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    proof = joined(knocks_only(), Dialling(ALL, {}, {}))
    print_proof(proof, explain=True)
    printed = " ".join(capsys.readouterr().out.split())
    assert proof.holds
    assert "It holds: 4 knocks, 2 paths proven, 6 refusals held" in printed
    assert "hub-to-hub: ◐ to client1 for client-to-hub-smtp" in printed
