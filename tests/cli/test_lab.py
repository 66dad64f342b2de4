"""`postern lab` where no lab can be: what it says. With root, tests/lab builds labs."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from postern.cli.lab import lab
from postern.lab.plan import LabError


def failure(*words: str) -> str:
    done = CliRunner().invoke(lab, words)
    assert done.exit_code != 0 and isinstance(done.exception, LabError | SystemExit), done.output
    return str(done.exception) if isinstance(done.exception, LabError) else done.output


@pytest.mark.parametrize(
    "command", [("up",), ("status",), ("verify",), ("shell", "hub1"), ("capture", "imap4"), ("down",)]
)
def test_without_root_each_says_so(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "which root may: type sudo in front" in failure(*command)


def test_on_another_system_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert "it needs a Linux machine" in failure("up")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "nft" else f"/bin/{name}")
    assert failure("down") == "nft missing: `scripts/setup lab` installs what the lab needs"


@pytest.mark.skipif(os.geteuid() != 0, reason="the name is looked at once root is sure")
def test_a_name_must_be_one() -> None:
    assert "no name for a lab" in failure("status", "--name", "../etc")


@pytest.mark.skipif(os.geteuid() != 0, reason="the lab is looked for once root is sure")
def test_a_lab_that_is_not_up_is_told() -> None:
    assert failure("status", "--name", "pt-none") == (
        "the lab pt-none is not up: `postern lab up --name pt-none` builds it"
    )
