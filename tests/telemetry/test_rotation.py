"""Bounded log files: nothing is lost before its time, and nothing grows for ever."""

from __future__ import annotations

from pathlib import Path

from postern.telemetry.rotation import RotatingFile, rotate


def test_the_newest_lines_stay_and_the_oldest_go(tmp_path: Path) -> None:
    file = tmp_path / "hub.0.jsonl"
    out = RotatingFile(file, size=100, kept=2)
    for number in range(100):
        out.write(f"line {number:03}\n")  # nine bytes: eleven fit in a file
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub.0.jsonl", "hub.0.jsonl.1", "hub.0.jsonl.2"]
    kept = "".join((tmp_path / f"hub.0.jsonl{end}").read_text() for end in (".2", ".1", ""))
    assert kept.splitlines() == [f"line {number:03}" for number in range(77, 100)]
    assert all(path.stat().st_size <= 100 and path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_a_process_goes_on_where_the_former_one_stopped(tmp_path: Path) -> None:
    file = tmp_path / "one"
    RotatingFile(file, size=100).write("x" * 89 + "\n")
    again = RotatingFile(file, size=100)
    again.write("123456789\n")
    assert not (tmp_path / "one.1").exists()
    again.write("a\n")
    assert file.read_text() == "a\n"
    assert (tmp_path / "one.1").stat().st_size == 100


def test_a_line_larger_than_a_file_is_written_all_the_same(tmp_path: Path) -> None:
    out = RotatingFile(tmp_path / "one", size=10)
    out.write("y" * 50 + "\n")
    assert (tmp_path / "one").stat().st_size == 51


def test_where_files_cannot_be_renamed_it_goes_on_writing(tmp_path: Path) -> None:
    (tmp_path / "one.1").mkdir()  # no file can take the name of a folder
    out = RotatingFile(tmp_path / "one", size=10, kept=1)
    for word in ("first line\n", "second line\n"):
        out.write(word)
    assert (tmp_path / "one").read_text() == "first line\nsecond line\n"


def test_only_what_is_too_large_is_put_behind(tmp_path: Path) -> None:
    file = tmp_path / "hub.0.err"
    rotate(file, size=3)  # there is none: nothing happens
    file.write_text("abc")
    rotate(file, size=3)
    assert file.exists()
    file.write_text("abcd")
    rotate(file, size=3)
    assert not file.exists()
    assert (tmp_path / "hub.0.err.1").read_text() == "abcd"
