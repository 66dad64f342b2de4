"""The Korean README tells what the English one tells: the same headings, commands, tables and links, in the same order."""

from __future__ import annotations

import re

from scripts.documents import ROOT


def _bones(name: str) -> dict[str, list[str]]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return {
        "headings": re.findall(r"^#+(?= )", text, re.MULTILINE),
        "blocks": re.findall(r"(?<=\n\n) {4}\S.*$", text, re.MULTILINE),  # indented code cannot interrupt a paragraph
        "commands": re.findall(r"^    .*$", text, re.MULTILINE),
        "rows of tables": [str(line.count("|")) for line in text.split("\n") if line.startswith("|")],
        "links": re.findall(r"\]\(([^)#][^)]*)\)", text)[1:],  # the first leads to the other one
        "names": sorted(set(re.findall(r"`[^`\n]+`", text))),
    }


def test_the_korean_readme_has_the_same_content() -> None:
    english, korean = _bones("README.md"), _bones("README.ko.md")
    for what, bones in english.items():
        assert korean[what] == bones, what
