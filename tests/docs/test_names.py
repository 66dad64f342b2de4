"""What the pages name exists: commands with their options, make targets, files, links, configuration keys, rows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from postern.cli.main import postern
from postern.paths.table import TABLE
from tests.cli.test_verify import DEPLOYED, WAITING

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "postern"
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
_CODE = re.compile(r"`([^`\n]+)`|^(?:    |\t)+(.+)$", re.MULTILINE)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _code(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [inline or block for inline, block in _CODE.findall(text)]


def _commands(page: Path) -> list[list[str]]:
    """The words of each `postern …` in the page's code, up to a pipe, a redirection or a comment."""
    found = []
    for code in _code(page):
        match = re.match(r"\s*(?:\.venv/bin/)?postern ([a-z-].*)", code)
        if match is not None:
            words = re.split(r"\s[|>#]|\s{2,}|…", match[1])[0]
            found.append(shlex.split(words))
    return found


def _check(words: list[str]) -> None:
    command: click.Command = postern
    context = click.Context(postern)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            break
        command, words = inner, words[1:]
    taking = {option: one for one in command.params for option in (*one.opts, *one.secondary_opts)}
    arguments = 0
    rest = iter(words)
    for word in rest:
        if arguments and not command.context_settings.get("allow_interspersed_args", True):
            arguments += 1  # another program's words (lab shell HOST COMMAND …)
            continue
        if not word.startswith("-"):
            arguments += 1
        elif word not in ("--help", "-h", "--version"):
            option = taking.get(word.partition("=")[0])
            assert isinstance(option, click.Option), f"no option {word}"
            if not option.is_flag and "=" not in word:
                value = next(rest, None)
                assert value is not None, f"{word} needs a value"
                if isinstance(option.type, click.Choice) and value.islower():
                    assert value in option.type.choices, f"{word} {value}"
    allowed = [one for one in command.params if isinstance(one, click.Argument)]
    assert not isinstance(command, click.Group) or not arguments, f"no command {words}"
    assert arguments <= len(allowed) or any(one.nargs == -1 for one in allowed), f"too many words: {words}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in _commands(page):
        try:
            _check(words)
        except AssertionError as error:
            raise AssertionError(f"{_name(page)}: postern {shlex.join(words)}: {error}") from None


@pytest.mark.parametrize(
    "wrong", ["paths shew imap4", "verify --quickly", "user add a b", "domain add x --type odd", "queues"]
)
def test_the_check_finds_what_does_not_exist(wrong: str) -> None:
    with pytest.raises(AssertionError):
        _check(wrong.split())


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for code in _code(page) for target in re.findall(r"^\s*make ([a-z-]+)", code)}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_named_file_and_link_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wanted = [(page.parent, link) for link in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text)]
    inline = {inline for inline, _ in _CODE.findall(text) if inline}
    wanted += [(ROOT, name) for name in inline if re.fullmatch(r"(?:src|tests|docs|scripts|bench)/[\w./-]+", name)]
    layers = "|".join(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
    wanted += [(SOURCE, name) for name in inline if re.fullmatch(rf"(?:{layers})/[\w/]+\.\w+", name)]
    assert [name for base, name in wanted if not (base / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_anchor_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line).strip().replace(" ", "-").lower() for line in re.findall(r"^#+ (.*)$", text, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings


def test_the_rows_of_the_roles_pages_exist() -> None:
    """Rows that stand in tables or lists of the README and the roles' pages."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs" / "roles").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    words = set(re.findall(r"(?<![\w/.-])[a-z]+(?:-[a-z0-9]+)+(?![\w/.-])", text))
    like_rows = {word for word in words if re.search(r"-to-|^(?:um|edge|cas|mailbox|hub)-", word)}
    like_rows -= {"mailbox-quota", "mailbox-retention"}  # keys of postern.toml
    assert like_rows <= set(TABLE), like_rows - set(TABLE)
    assert len(like_rows) > 15


def test_the_status_of_the_readme_counts_right() -> None:
    passing, waiting = len(DEPLOYED), len(WAITING)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"the other {waiting}, " in text
    rest = len(TABLE) - waiting - passing
    assert f"{passing} pass, {waiting} not built, {rest} not deployed" in text
