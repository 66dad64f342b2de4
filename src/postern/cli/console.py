"""Rich's console for tables with foreign text (apart from `terminal`, for rich is slow to import)."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.text import Text

from postern.cli.terminal import visible


class Console(rich.console.Console):
    """Rich's console, for which every string, in tables too, is escaped before it is laid out."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)
