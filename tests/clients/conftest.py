"""One whole organization for all foreign clients: the demo, with Kerberos from a private KDC, and NTLM and SCRAM enabled.

Alice and bob are the demo's; tests that need an empty mailbox take a user of their own from `mailbox`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postern.host import account, configuration
from tests import organization as whole
from tests.clients.people import KERBEROS_PASSWORD, Mailbox
from tests.organization import PASSWORD, Organization
from tests.trust import kdc

SERVICES = ("smtp", "imap", "pop", "host")


@pytest.fixture(scope="session")
def realm() -> Iterator[kdc.Kdc | None]:
    """A running KDC, None where MIT's is not installed: then only the tests of Kerberos are skipped."""
    if not kdc.installed():
        yield None
        return
    with kdc.running_kdc() as running:
        running.folder.chmod(0o711)
        running.krb5_conf.chmod(0o644)
        yield running


@pytest.fixture(scope="session")
def organization(realm: kdc.Kdc | None) -> Iterator[Organization]:
    folder = Path(tempfile.mkdtemp(prefix="clients-", dir="/tmp"))
    folder.chmod(0o755)
    state, offset, environment = folder / "state", whole.free_offset(), {}
    state.mkdir()
    text = configuration.DEFAULT.format(offset=offset)
    if realm is not None:
        environment = with_kerberos(realm, folder)
        text = text.replace(
            "[organization]\n", f'[organization]\nrealm = "{realm.realm}"\nkeytab = "{folder}/keytab"\n'
        )
    (state / "postern.toml").write_text(text)
    running = None
    try:
        running = whole.start(state, offset, environment=environment, arguments=("--demo", "--demo-password", PASSWORD))
        running.command("domain", "auth", "enable", "ntlm")
        running.command("domain", "auth", "enable", "scram")
        for name in ("alice", "bob"):
            running.command("user", "passwd", name, "--password-stdin", given=PASSWORD + "\n")
        yield running
    finally:
        if running is not None:
            whole.remove(running)
        shutil.rmtree(folder, ignore_errors=True)


def with_kerberos(realm: kdc.Kdc, folder: Path) -> dict[str, str]:
    """Makes the services' keytab, readable by the account that serves; returns what the roles need to know."""
    made = realm.add_service(*(f"{service}/{host}" for service in SERVICES for host in ("localhost", "server1")))
    shutil.move(made, folder / "keytab")
    serving = account.serving()
    caches = folder / "caches"
    caches.mkdir(mode=0o700)
    for path in (folder / "keytab", caches):
        os.chown(path, serving.uid, serving.gid)
    for name in ("alice", "stranger", "disabled"):
        realm.add_user(name, KERBEROS_PASSWORD)
    return {"KRB5_CONFIG": str(realm.krb5_conf), "KRB5RCACHEDIR": str(caches)}


@pytest.fixture(scope="session")
def mailbox(organization: Organization) -> Callable[[], Mailbox]:
    """Makes a user with an empty mailbox."""
    numbers = itertools.count(1)
    return lambda: Mailbox(organization, organization.add_user(f"reader{next(numbers)}"))
