"""scripts/fresh-machine and .ci/run where a machine of its own cannot be made: they say why, and touch nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs one of the project's scripts with programs in place of the machine's: their names, and shell lines."""

    def run(*words: str | Path, pip: Path | None = None, **programs: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, line in programs.items():
            (folder / name).write_text(f"#!/bin/sh\n{line}\n")
            (folder / name).chmod(0o755)
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
        if pip is not None:
            environment["PIP_CONFIG_FILE"] = str(pip)
        script, *arguments = words
        return subprocess.run(
            [ROOT / script, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False
        )

    return run


ROOTS = "echo 0"
OTHERS = "echo 1000"


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ({"id": OTHERS}, "it needs root"),
        ({"id": ROOTS, "unshare": "exit 1"}, "no mount and process namespaces are to be had here"),
    ],
)
@pytest.mark.parametrize("words", [("--check",), ("true",)])
def test_what_this_machine_cannot_do_is_said(
    run: Run, programs: dict[str, str], why: str, words: tuple[str, ...]
) -> None:
    done = run("scripts/fresh-machine", *words, **programs)
    assert done.returncode == 3
    assert done.stderr == f"fresh-machine: no machine of its own can be made: {why}\n"


def test_a_folder_that_is_no_machine_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/debian_version").write_text("12.0\n")
    (tmp_path / "etc/hosts").write_text("mine\n")
    done = run("scripts/fresh-machine", "--keep", tmp_path, "true", id=ROOTS, unshare="exit 0", mmdebstrap="exit 1")
    assert done.returncode == 2 and "is not empty" in done.stderr
    assert (tmp_path / "etc/hosts").read_text() == "mine\n"


def test_without_a_network_the_cause_and_the_log_are_told(run: Run, tmp_path: Path) -> None:
    said = "echo 'E: Failed to fetch http://deb.test/dists: cannot connect' >&2; seq 50 >&2; exit 1"
    done = run("scripts/fresh-machine", "true", id=ROOTS, unshare="exit 0", mmdebstrap=said)
    log = tmp_path / "cache/postern/machines/mmdebstrap.log"
    assert done.returncode == 1
    assert "E: Failed to fetch http://deb.test/dists" in done.stderr
    assert done.stderr.endswith(f"mmdebstrap failed; its whole log is {log}\n") and log.read_text().endswith("50\n")


@pytest.mark.parametrize("word", ["/", "//", "/./", "/etc/..", "file:///"])
def test_the_whole_machine_is_no_folder_of_pip_s(run: Run, tmp_path: Path, word: str) -> None:
    """A stray slash in pip's settings must not empty the new machine and copy this one into it."""
    (tmp_path / "pip.conf").write_text(f"[global]\nfind-links = {word} {tmp_path}/wheels\n")
    (tmp_path / "wheels").mkdir()
    told = tmp_path / "told"
    programs = {name: f'echo "{name} $*" >>{told}' for name in ("cp", "rm", "find")}
    programs |= {"git": f'echo "git" >>{told}; exit 9', "mmdebstrap": "exit 1"}
    machine = tmp_path / "machine"
    (machine / "etc/apt/apt.conf.d").mkdir(parents=True)
    (machine / ".fresh-machine").touch()
    (tmp_path / "cache/postern/machines").mkdir(parents=True)
    (tmp_path / "cache/postern/machines/debian-12.tar").touch()
    done = run(
        "scripts/fresh-machine", "--keep", machine, "true",
        id=ROOTS, unshare="exit 0", pip=tmp_path / "pip.conf", **programs,
    )  # fmt: skip
    said = told.read_text().splitlines()
    assert done.returncode == 9 and said[-1] == "git", "the clone comes after what is copied"
    assert any(line.startswith("cp ") for line in said)
    assert not [line for line in said if line.split()[:3] == ["cp", "-rLT", "/"] or line == f"rm -rf {machine}/"]


def test_integration_runs_the_tests_anyway(run: Run) -> None:
    done = run(".ci/run", id=OTHERS, make='echo "make $*"')
    assert done.returncode == 0
    assert "it needs root" in done.stderr
    assert done.stdout.splitlines() == ["ci: running the tests on this machine itself", "make test"]
