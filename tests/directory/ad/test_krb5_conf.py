"""krb5.conf: what libkrb5 itself reads in it, and when it is written."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from postern.directory.ad import krb5_conf
from postern.model.directory import DomainController

FIRST = DomainController("dc1.corp.test", "192.0.2.1", "S", True, True)
SECOND = DomainController("dc2.corp.test", "2001:db8::2", "S", True, True)


def test_the_best_centre_stands_first_and_nothing_is_looked_up() -> None:
    text = krb5_conf.text("Corp.test", [SECOND, FIRST, SECOND])
    assert text.index("kdc = [2001:db8::2]") < text.index("kdc = 192.0.2.1")
    assert text.count("kdc = ") == 2 + 1  # and dns_lookup_kdc
    for line in ("default_realm = CORP.TEST", "dns_lookup_kdc = false", "dns_canonicalize_hostname = false"):
        assert line in text
    assert "udp_preference_limit" not in text


def test_it_is_written_when_it_changes_only(tmp_path: Path) -> None:
    file = tmp_path / "krb5.conf"
    assert not krb5_conf.write(file, "corp.test", [])
    assert not file.exists()
    assert krb5_conf.write(file, "corp.test", [FIRST])
    before = file.stat()
    assert not krb5_conf.write(file, "corp.test", [FIRST])
    assert file.stat().st_ino == before.st_ino
    assert krb5_conf.write(file, "corp.test", [SECOND, FIRST])
    assert not krb5_conf.write(file, "corp.test", []) and "192.0.2.1" in file.read_text()


def test_a_full_disk_leaves_the_former_file(tmp_path: Path) -> None:
    file = tmp_path / "none" / "krb5.conf"
    with pytest.raises(OSError):
        krb5_conf.write(file, "corp.test", [FIRST])
    krb5_conf.keep(file, "corp.test", [FIRST])


@pytest.mark.skipif(shutil.which("kinit") is None, reason="kinit is not installed (package krb5-user)")
def test_libkrb5_goes_to_these_centres(tmp_path: Path) -> None:
    file, trace = tmp_path / "krb5.conf", tmp_path / "trace"
    here = [DomainController(f"dc{n}.corp.test", f"127.0.3.{n}", "S", True, True) for n in (2, 1)]
    krb5_conf.write(file, "corp.test", here)
    environment = {**os.environ, "KRB5_CONFIG": str(file), "KRB5_TRACE": str(trace)}
    subprocess.run(["kinit", "nobody"], env=environment, input="x\n", text=True, capture_output=True, timeout=60)
    asked = trace.read_text()
    assert asked.index("127.0.3.2:88") < asked.index("127.0.3.1:88")
