"""Who may use a state folder. A command says it before it reads anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from postern.cli.failures import Failure
from postern.cli.main import postern
from postern.cli.state_folder import refuse_without_rights
from postern.host import account, state
from tests.host.folders import short_folder

COMMANDS = [
    ("queue", "list"),
    ("trace", "a@x"),
    ("user", "list"),
    ("agent", "list"),
    ("edge", "status"),
    ("domain", "list"),
    ("paths", "observed"),
    ("verify",),
    ("run",),
]


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as parent:
        parent.chmod(0o711)
        root = parent / "state"
        root.mkdir(mode=0o700)
        (root / state.CONFIGURATION).touch(mode=0o600)
        yield root


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two accounts")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("readable", [False, True])
def test_who_may_use_another_accounts_folder_is_said(folder: Path, words: tuple[str, ...], readable: bool) -> None:
    assert CliRunner().invoke(postern, [*words, "--help"]).exit_code == 0
    if readable:
        folder.chmod(0o755)
    with as_nobody():
        result = CliRunner().invoke(postern, [*words, "--state", str(folder)])
    assert result.exit_code == os.EX_NOPERM, result.output or repr(result.exception)
    place = folder / state.CONFIGURATION if readable else folder
    owner = account.owner(folder).name
    assert f"no right to use {place}: run this as root or as {owner}" in result.output


def test_what_is_ours_or_not_there_is_left_to_the_command(folder: Path) -> None:
    refuse_without_rights(str(folder))
    refuse_without_rights(str(folder / "absent"))
    refuse_without_rights((f"hub1={folder}", str(folder)))


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two accounts")
def test_an_equals_sign_in_a_path_names_no_server(folder: Path) -> None:
    place = folder.parent / "a=b"
    folder.rename(place)
    with as_nobody(), pytest.raises(Failure, match=f"no right to use {place}"):
        refuse_without_rights((str(place),))
