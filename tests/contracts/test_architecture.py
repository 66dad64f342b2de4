"""ARCHITECTURE.md names files; each of them exists, and each layer has its line."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_every_named_file_exists() -> None:
    named = set(re.findall(r"`([a-z_]+/[a-z0-9_./]+)`", TEXT)) | set(
        re.findall(r"`((?:src|tests|docs)/[\w./]+)`", TEXT)
    )
    missing = [
        name for name in sorted(named) if not (ROOT / name).exists() and not (ROOT / "src/postern" / name).exists()
    ]
    assert not missing


def test_every_layer_has_its_line() -> None:
    layers = {path.name for path in (ROOT / "src/postern").iterdir() if (path / "__init__.py").exists()}
    described = set(re.findall(r"^\| `(\w+)/`", TEXT, re.MULTILINE))
    assert layers == described
