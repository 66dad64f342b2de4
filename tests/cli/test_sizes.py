"""Sizes as commands say and read them."""

from __future__ import annotations

import click
import pytest

from postern.cli.sizes import octets, size


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (463, "463 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (1536 * 1024, "1.5 MB"),
        (1023 * 1024**2 + 1, "1023 MB"),
        (2 * 1024**3, "2 GB"),
        (20_000 * 1024**4, "20000 TB"),
    ],
)
def test_a_size_is_said_in_its_unit(number: int, said: str) -> None:
    assert size(number) == said


@pytest.mark.parametrize(
    ("text", "number"),
    [("2G", 2 * 1024**3), ("500m", 500 * 1024**2), ("10KB", 10_240), ("12345", 12_345), (" 1 ", 1), (7, 7), ("0", 0)],
)
def test_a_size_is_read_as_people_write_it(text: str | int, number: int) -> None:
    assert octets(text) == number


@pytest.mark.parametrize("text", ["", "G", "-1", "1.5G", "2T", "two"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        octets(text)
