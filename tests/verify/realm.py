"""An organization with a Kerberos realm: a KDC of its own, the server's keytab, and the probe as one of its users."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import organization as organizations
from tests.organization import Organization
from tests.support.client_certificates import UserAuthority
from tests.trust.kdc import REALM, Kdc, running_kdc

SERVICES = ("host", "smtp", "imap", "pop", "HTTP")


ASKING = "certificate.example.test"


def _certificates(authority: UserAuthority) -> str:
    """The table of postern.toml; the servers run under an account of their own."""
    for file in (authority.folder, authority.file, revoked := authority.revoke()):
        file.chmod(0o755)
    return f'[client-certificates]\nnames = ["{ASKING}"]\nauthorities = "{authority.file}"\nrevoked = "{revoked}"\n'


@contextlib.contextmanager
def realm() -> Iterator[tuple[Kdc, Path, UserAuthority]]:
    """A KDC and a state folder whose organization knows it, in the profile "practical", with an authority that issues
    certificates to users; nothing of it runs yet."""
    folder = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    folder.chmod(0o755)
    state = folder / "state"
    (folder / "people").mkdir()
    people = UserAuthority(folder / "people")
    with running_kdc() as kdc:
        try:
            # The first start makes the accounts and their secrets.
            organizations.start(state).stop()
            keytab = kdc.add_service(*(f"{service}/server1.example.test" for service in SERVICES), "SERVER1$")
            kdc.add_user("postern-probe", (state / "secrets" / "probe-account").read_text().strip())
            for file in (kdc.folder, kdc.krb5_conf, keytab):  # the servers run under an account of their own
                file.chmod(0o755)
            text = (state / "postern.toml").read_text()
            realm_lines = f'realm = "{REALM}"\nkeytab = "{keytab}"\n'
            text = text.replace("\noffset =", f"\n{realm_lines}offset =", 1)
            (state / "postern.toml").write_text(
                text.replace("\n[[domain]]", f"\n{_certificates(people)}\n[[domain]]", 1)
            )
            yield kdc, state, people
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def start(kdc: Kdc, state: Path, profile: str) -> Organization:
    """Starts it under a profile."""
    lines = (state / "postern.toml").read_text().splitlines()
    lines = [f'profile = "{profile}"' if line.startswith("profile =") else line for line in lines]
    (state / "postern.toml").write_text("\n".join(lines) + "\n")
    replays = state.parent / "replays"
    replays.mkdir(exist_ok=True)
    replays.chmod(0o1777)
    environment = {"KRB5_CONFIG": str(kdc.krb5_conf), "KRB5RCACHEDIR": str(replays)}
    return organizations.start(state, environment=environment)
