"""One whole organization for all foreign clients: the demo, with NTLM, SCRAM and Digest enabled.

Alice and bob are the demo's; tests that need an empty mailbox take a user of their own from `mailbox`. The tests of Kerberos
give it a realm and start it again, in `with_realm`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postern.host import account
from tests import organization as whole
from tests.clients.people import KERBEROS_PASSWORD, Mailbox
from tests.organization import PASSWORD, Organization
from tests.support.needs import needs
from tests.trust import kdc

SERVICES = ("smtp", "imap", "pop", "host", "HTTP")
HOSTS = ("localhost", "server1.example.test")


@pytest.fixture(scope="session")
@needs("postgres", "slapd", together="clients")
def organization() -> Iterator[Organization]:
    folder = Path(tempfile.mkdtemp(prefix="clients-", dir="/tmp"))
    running = None
    try:
        running = whole.start(folder / "state", arguments=("--demo", "--demo-password", PASSWORD))
        for mechanism in ("ntlm", "scram", "digest"):
            running.command("domain", "auth", "enable", mechanism)
        # What these mechanisms need is kept of passwords that are set from now on.
        for name in ("alice", "bob"):
            running.command("user", "passwd", name, "--password-stdin", given=PASSWORD + "\n")
        yield running
    finally:
        if running is not None:
            whole.remove(running)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mailbox(organization: Organization) -> Callable[[], Mailbox]:
    """Makes a user with an empty mailbox."""
    numbers = itertools.count(1)
    return lambda: Mailbox(organization, organization.add_user(f"reader{next(numbers)}"))


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    with kdc.running_kdc() as running:
        running.folder.chmod(0o711)  # the roles are another user, and read its krb5.conf
        for name in ("alice", "stranger", "disabled"):
            running.add_user(name, KERBEROS_PASSWORD)
        yield running


@pytest.fixture(scope="module")
def with_realm(organization: Organization, realm: kdc.Kdc) -> Iterator[Organization]:
    """The organization with the realm in its configuration; without it again afterwards. Clients that are offered GSSAPI
    choose it even where they have no ticket, so the other tests do without."""
    folder = organization.state.parent
    environment = {"KRB5_CONFIG": str(realm.krb5_conf), "KRB5RCACHEDIR": str(folder / "caches")}
    made = realm.add_service(*(f"{service}/{host}" for service in SERVICES for host in HOSTS))
    shutil.move(made, folder / "keytab")
    (folder / "caches").mkdir(mode=0o700)
    serving = account.serving()
    for path in (folder / "keytab", folder / "caches"):
        os.chown(path, serving.uid, serving.gid)
    file = organization.state / "postern.toml"
    without = file.read_text()
    lines = f'[organization]\nrealm = "{realm.realm}"\nkeytab = "{folder}/keytab"\n'
    restart(organization, without.replace("[organization]\n", lines), environment)
    try:
        yield organization
    finally:
        restart(organization, without, {})


def restart(organization: Organization, configuration: str, environment: dict[str, str]) -> None:
    if organization.process.poll() is None:
        organization.stop()
    (organization.state / "postern.toml").write_text(configuration)
    organization.process = whole.start(organization.state, organization.offset, environment=environment).process
