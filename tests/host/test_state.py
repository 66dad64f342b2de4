"""The state folder: made with mode 0700, found again, and refused where it is someone else's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.host import account, secret_files, state
from tests.host.folders import short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


def test_every_part_belongs_to_the_serving_account_alone(folder: Path) -> None:
    made = state.create(folder)
    parts = [made.root, made.sockets, *(path for path in made.root.iterdir() if path.is_dir())]
    assert len(parts) > 10
    for part in parts:
        status = part.stat()
        assert stat.S_IMODE(status.st_mode) == 0o700
        assert status.st_uid == account.serving().uid


def test_an_open_folder_is_closed(folder: Path) -> None:
    made = state.create(folder)
    made.secrets.chmod(0o755)
    state.create(folder)
    assert stat.S_IMODE(made.secrets.stat().st_mode) == 0o700


def test_find_makes_nothing(folder: Path) -> None:
    assert state.find(folder / "new").root == folder / "new"
    assert not (folder / "new").exists()


def test_the_environment_names_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTERN_STATE", str(folder / "there"))
    assert state.find(None).root == folder / "there"


@pytest.mark.skipif(os.geteuid() == 0, reason="root's default is /var/lib/postern")
def test_a_users_default_follows_xdg(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTERN_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    assert state.find(None).root == folder / "postern"


def test_sockets_of_a_long_path_lie_in_a_short_one(folder: Path) -> None:
    made = state.create(folder / ("long-" * 30))
    try:
        assert len(os.fsencode(made.sockets)) + 40 <= 107
        assert state.find(made.root) == made, "the same path is found again"
    finally:
        made.sockets.rmdir()


def test_a_folder_with_other_things_is_refused(folder: Path) -> None:
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(state.StateError, match="not empty"):
        state.create(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["letter.txt"]


def test_a_configuration_may_be_there_first(folder: Path) -> None:
    (folder / "postern.toml").write_text("")
    assert state.create(folder).queue.is_dir()


def test_a_symbolic_link_in_place_of_a_part_is_refused(folder: Path) -> None:
    made = state.create(folder)
    made.spool.rmdir()
    made.spool.symlink_to("/tmp")
    with pytest.raises(state.StateError, match="spool"):
        state.create(folder)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to own things as others")
def test_a_folder_of_someone_else_is_refused(folder: Path) -> None:
    made = state.create(folder)
    os.chown(made.secrets, 12345, 12345)
    with pytest.raises(state.StateError, match="belongs to 12345"):
        state.create(folder)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root passes folders that the account cannot")
def test_a_folder_that_the_account_cannot_reach_is_refused(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(state.StateError, match=f"may not pass {closed}"):
        state.create(closed / "state")


def test_commands_need_a_folder_that_is_there(folder: Path) -> None:
    with pytest.raises(state.StateError, match="postern run"):
        state.act_as_owner(state.find(folder / "none"))


def test_a_made_secret_is_no_option_of_the_program_that_gets_it(folder: Path) -> None:
    assert secret_files.obtain(state.create(folder), "any").isalnum()
