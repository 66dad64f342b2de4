"""The seeds lead somewhere: there are some for each target, the targets take them, and reach every reader of foreign octets with
them. Each target has its smoke test."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from types import CodeType, FrameType

import pytest
from scripts.documents import bounds

from tests.fuzz.seeds import PARSERS, fill, seeds, words

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parents[1] / "src" / "postern"
WITHOUT_A_TARGET = {
    "directory.administration.Administration._way": "counts entries of a directory, not octets",
    "host.small_files.read_small": "takes a file's octets, which others read",
    "lab.steps.cause": "reads what our own tools said",
    "net.local.LocalQuestion": "keeps what a server of this host said and looks for a few octets in it",
    "store.renewal.Renewal.of_items": "asks a database; `protocols.mime.message.render` reads the octets",
    "telemetry.attempts.read": "reads files that only this program writes",
    "telemetry.tracking.read": "reads lines that only this program writes, with JSON's own reader",
    "transport.delivery_status._trace_of": "cuts off 16 KB; `protocols.authentication.header.fields` reads them",
    "transport.poison.keep_copy": "writes a message to a file",
    "trust.pool.FairQueue": "a queue in memory that reads no octets",
}
"""Readers that have a bound and no target, each with its reason."""


def test_every_target_has_seeds_and_a_smoke_test() -> None:
    targets = {path.stem for path in FOLDER.glob("fuzz_*.py")}
    assert targets == set(PARSERS)
    assert all((FOLDER / f"test_{target}.py").exists() for target in targets)


@functools.cache
def reached(target: str) -> frozenset[str]:
    """The functions of ours that the target calls with its seeds, by their dotted names below `postern`."""
    one_input = importlib.import_module(f"tests.fuzz.{target}").one_input
    given = list(seeds(target))
    called: set[CodeType] = set()

    def notice(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(notice)
    try:
        for seed in given:
            one_input(seed)
    finally:
        sys.setprofile(before)
    files = {code: Path(code.co_filename) for code in called}
    return frozenset(
        f"{'.'.join(file.relative_to(SOURCE).with_suffix('').parts)}.{code.co_qualname}"
        for code, file in files.items()
        if file.is_relative_to(SOURCE)
    )


@pytest.mark.parametrize("target", PARSERS)
def test_the_target_takes_its_seeds(target: str) -> None:
    assert reached(target), "the target calls nothing of ours"


def test_every_reader_is_reached_by_a_target() -> None:
    """A class is reached when one of its methods is that takes octets."""
    called = frozenset.union(*map(reached, PARSERS))
    called |= {name.rpartition(".")[0] for name in called if not name.endswith(".__init__")}
    readers = bounds().keys()
    assert readers - called - WITHOUT_A_TARGET.keys() == set(), (
        "these have a bound, and no target of tests/fuzz calls them"
    )
    assert WITHOUT_A_TARGET.keys() - (readers - called) == set(), "these need no exemption"


@pytest.mark.parametrize("target", PARSERS)
def test_the_folder_holds_them(target: str, tmp_path: Path) -> None:
    count = fill(target, tmp_path / target)
    assert len(list((tmp_path / target).iterdir())) == count > 20
    assert (tmp_path / f"{target}.dict").exists()


def test_words_are_the_parsers_own() -> None:
    assert {"EHLO", "BDAT", "AUTH"} <= set(words("fuzz_smtp"))
    assert {"FETCH", "CHANGEDSINCE", "STLS"} <= set(words("fuzz_imap"))
