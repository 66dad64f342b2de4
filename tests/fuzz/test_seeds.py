"""The seeds lead somewhere: there are some for each target, the targets take them, and each target has its smoke test."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.fuzz.seeds import PARSERS, fill, seeds, words

FOLDER = Path(__file__).parent


def test_every_target_has_seeds_and_a_smoke_test() -> None:
    targets = {path.stem for path in FOLDER.glob("fuzz_*.py")}
    assert targets == set(PARSERS)
    assert all((FOLDER / f"test_{target}.py").exists() for target in targets)


@pytest.mark.parametrize("target", PARSERS)
def test_the_target_takes_its_seeds(target: str) -> None:
    one_input = importlib.import_module(f"tests.fuzz.{target}").one_input
    for seed in seeds(target):
        one_input(seed)


@pytest.mark.parametrize("target", PARSERS)
def test_the_folder_holds_them(target: str, tmp_path: Path) -> None:
    count = fill(target, tmp_path / target)
    assert len(list((tmp_path / target).iterdir())) == count > 20
    assert (tmp_path / f"{target}.dict").exists()


def test_words_are_the_parsers_own() -> None:
    assert {"EHLO", "BDAT", "AUTH"} <= set(words("fuzz_smtp"))
    assert {"FETCH", "CHANGEDSINCE", "STLS"} <= set(words("fuzz_imap"))
