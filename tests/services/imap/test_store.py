"""The dialogs of `test_imap` once more, on the store that is in use.

covers: store, folders, selected
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.dialog import Player, scripts
from tests.store.conftest import Store, store

__all__ = ["store"]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("script", scripts("imap"), ids=lambda path: path.stem)
def test_dialog(store: Store, script: Path) -> None:
    store.run(Player(script.read_text(encoding="utf-8"), store.database).play())
