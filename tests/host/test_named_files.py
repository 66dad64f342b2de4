"""What a start says of files that postern.toml names and that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from postern.host import configuration, named_files
from postern.model.organization import AvailabilitySpace

BASE = configuration.parse(configuration.DEFAULT.format(offset=0))


def test_files_that_cannot_be_read_are_told_with_what_waits_for_them(tmp_path: Path) -> None:
    server, garbage = BASE.servers[0], tmp_path / "garbage.pem"
    assert named_files.unreadable(BASE, server) == []
    garbage.write_text("no certificate")
    space = AvailabilitySpace("other.test", "https://mail.other.test/EWS/Exchange.asmx", "us", str(tmp_path / "none"))
    organization = replace(BASE, authorities=str(garbage), availability=(space,))
    authorities, password = named_files.unreadable(organization, server)
    assert authorities.startswith(f"authorities in postern.toml: {garbage} has no certificate in PEM form.")
    assert f"{tmp_path / 'none'} cannot be read (No such file or directory)" in password and "other.test" in password
    (tmp_path / "none").write_text("secret")
    absent = replace(organization, authorities=str(tmp_path / "absent"))
    assert named_files.unreadable(absent, server)[0].startswith(
        f"authorities in postern.toml: {tmp_path / 'absent'} cannot be read (No such file or directory)."
    )
    (tmp_path / "none").write_bytes(b"\xff")
    assert "it is no text in UTF-8" in named_files.unreadable(organization, server)[1]
