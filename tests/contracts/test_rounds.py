"""Work at intervals is done by `telemetry.rounds`: a loop of its own that sleeps would end at the first unexpected exception."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "postern"
FOLDERS = ("services", "roles", "transport", "trust", "directory", "net", "host", "lab")
ALLOWED = {
    ("services/mailbox/housekeeping.py", "render_anew"): "it ends when all is rendered, and logs what is raised",
    ("services/ews/pushing.py", "_next"): "a change wakes it; it sleeps to gather changes",
    ("services/ews/pushing.py", "_send"): "it repeats one call until the subscriber answers or is given up",
    ("transport/dispatcher.py", "_run"): "mail wakes it; it sleeps after a failure only",
    ("transport/look_up.py", "look_up"): "it repeats one call until the directory answers",
    ("transport/outcomes.py", "_queue_report"): "it repeats one call until the queue takes the report",
}


def _sleeps(loop: ast.While) -> bool:
    """Whether a loop without end sleeps for a time: `sleep(0)` only lets others run."""
    if not (isinstance(loop.test, ast.Constant) and loop.test.value):
        return False
    calls = (
        node for node in ast.walk(loop) if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.sleep"
    )
    return any(ast.unparse(call.args[0]) != "0" for call in calls)


def endless(text: str) -> list[str]:
    """Names of the functions that have an endless loop which sleeps."""
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        function.name
        for function in functions
        if any(isinstance(node, ast.While) and _sleeps(node) for node in ast.walk(function))
    ]


def test_no_endless_loop_of_its_own_sleeps() -> None:
    loops = {
        (str(file.relative_to(SOURCE)), name)
        for folder in FOLDERS
        for file in (SOURCE / folder).rglob("*.py")
        for name in endless(file.read_text(encoding="utf-8"))
    }
    assert loops == ALLOWED.keys()


def test_such_a_loop_would_be_seen() -> None:
    loop = "async def always(self):\n    while True:\n        await self.look()\n        await asyncio.sleep({})\n"
    assert endless(loop.format("EVERY")) == ["always"]
    assert endless(loop.format("0")) == []
