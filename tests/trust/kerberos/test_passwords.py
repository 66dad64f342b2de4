"""Passwords judged by a realm (MIT KDC), a realm's impostor, and what Kerberos' errors come to.

covers: errors, library
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from postern.model.directory import Account, DirectoryUnavailable
from postern.trust.kerberos import passwords as kerberos_passwords
from postern.trust.kerberos.errors import KerberosCause, cause_of
from postern.trust.kerberos.passwords import KerberosPasswords
from tests.trust import kdc

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)"),
    pytest.mark.skipif(kerberos_passwords.gssapi is None, reason="the extra postern[kerberos] is not installed"),
]
SERVICE = "host/hub1.example.test"


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    with kdc.running_kdc() as running:
        running.add_user("alice", "wonderland")
        yield running


@pytest.fixture(scope="module")
def keytab(realm: kdc.Kdc) -> Path:
    return realm.add_service(SERVICE)


def judge(realm: kdc.Kdc, keytab: Path, password: str, name: str = "alice", service: str = SERVICE) -> bool:
    account = Account(uuid4(), name, True, False, "")
    with pytest.MonkeyPatch.context() as patch:
        realm.join(patch)
        passwords = KerberosPasswords(realm.realm, str(keytab), service)
        try:
            return asyncio.run(passwords.password(account, password))
        finally:
            passwords.close()


def test_right_and_wrong(realm: kdc.Kdc, keytab: Path) -> None:
    assert judge(realm, keytab, "wonderland")
    for wrong in ("Wonderland", "", "wonder\0land", "\ud800", "wonderland "):
        assert not judge(realm, keytab, wrong)
    assert not judge(realm, keytab, "wonderland", "nobody")


def test_an_impostor_of_the_centre_lets_nobody_in(realm: kdc.Kdc, keytab: Path) -> None:
    with kdc.running_kdc() as impostor:
        impostor.add_user("alice", "impostors-choice")
        impostor.add_service(SERVICE)
        with pytest.raises(DirectoryUnavailable):
            judge(impostor, keytab, "impostors-choice")


def test_no_centre_no_keytab_and_no_such_service_decide_nothing(realm: kdc.Kdc, keytab: Path, tmp_path: Path) -> None:
    with pytest.raises(DirectoryUnavailable):
        judge(realm, tmp_path / "none", "wonderland")
    with pytest.raises(DirectoryUnavailable):
        judge(realm, keytab, "wonderland", service="host/nowhere.example.test")
    with kdc.running_kdc() as gone:
        pass
    gone.folder.mkdir()
    (gone.folder / "krb5.conf").write_text(realm.krb5_conf.read_text().replace(str(realm.port), str(gone.port)))
    try:
        with pytest.raises(DirectoryUnavailable):
            judge(gone, keytab, "wonderland")
    finally:
        (gone.folder / "krb5.conf").unlink()
        gone.folder.rmdir()


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (24, KerberosCause.WRONG),
        (18, KerberosCause.WRONG),
        (23, KerberosCause.WRONG),
        (37, KerberosCause.CLOCK),
        (45, KerberosCause.KEYTAB),
        (156, KerberosCause.UNREACHABLE),
        (999, KerberosCause.UNREACHABLE),
    ],
)
def test_causes(number: int, cause: KerberosCause) -> None:
    signed = number - 1765328384
    assert cause_of(signed, KerberosCause.UNREACHABLE) is cause_of(signed + 2**32, KerberosCause.UNREACHABLE) is cause
    assert (
        cause_of(13, KerberosCause.WRONG) is KerberosCause.KEYTAB
        and cause_of(0, KerberosCause.WRONG) is KerberosCause.WRONG
    )
