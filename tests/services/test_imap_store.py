"""Dialogs whose answers the store makes, on the store that is in use: the other dialogs' store is a fake.

covers: imap_store, imap_folders, imap_selected
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.dialog import Player, scripts
from tests.store.conftest import Store, store

__all__ = ["store"]
pytestmark = pytest.mark.slow

NAMES = {
    "deleted_elsewhere",
    "gone_elsewhere",
    "keyword_limit",
    "levels",
    "odd_patterns",
    "older_structure",
    "quota",
    "recent",
}
SCRIPTS = [path for path in scripts("imap") if path.stem in NAMES]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_dialog(store: Store, script: Path) -> None:
    store.run(Player(script.read_text(encoding="utf-8"), store.database).play())
