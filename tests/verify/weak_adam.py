"""An edge's own directory as `host.engines.adam` makes it, or one that is laxer: the positive control of what is asked of it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.directory.adam import layout
from postern.directory.adam.accounts import AdamAccounts
from postern.directory.ldap.client import REPLACE
from postern.host import account, certificates, edge, state
from postern.host.engines import adam
from postern.host.engines.slapd import PrivateSlapd
from postern.model.directory import TrustedCertificate
from postern.model.organization import AcceptedDomain, Organization, Profile, Role, Server, StateFolder
from postern.net.tls import certificate_der
from postern.paths.table import settle
from postern.roles.secrets import Secret
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from tests.support.ports import free_offset

PASSWORD = "the replication account's"
HUB = Server("hub1", "hub1.example.test", frozenset({Role.HUB}), ("127.0.0.1",))
EDGE = Server("edge1", "edge1.example.test", frozenset({Role.EDGE}), ("127.0.0.1",))
_LAX = {
    f'access to dn.subtree="{layout.REQUESTS}" by': f'access to dn.subtree="{layout.REQUESTS}" by * write by',
    "disallow bind_anon\nrequire authc\n": "allow bind_anon_cred bind_anon_dn\n",
    "TLSProtocolMin 3.3\n": "TLSProtocolMin 3.1\n",
    "access to * by * none\n": "access to * by * write\n",
    "access to attrs=userPassword by anonymous auth by * none\n": "access to attrs=userPassword by * write\n",
}


@dataclass(frozen=True, slots=True)
class Adam:
    """`hub` and `edge` are what verify knows on either host."""

    organization: Organization
    state: StateFolder
    hub: Subject
    edge: Subject

    async def change(self, dn: str, **values: bytes) -> None:
        async with edge.accounts(self.organization, self.state) as found:
            changes = [(REPLACE, name, [value] if value else None) for name, value in values.items()]
            await found._client.modify(dn, changes)


class _Lax(PrivateSlapd):
    def _configure(self) -> None:
        super()._configure()
        text = self._file.read_text()
        for old, new in _LAX.items():
            assert old in text, old
            text = text.replace(old, new)
        lines = [line for line in text.splitlines() if not line.startswith(("security ", "TLSCipherSuite "))]
        self._file.write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def running_adam(profile: Profile = Profile.PRACTICAL, lax: bool = False) -> Iterator[Adam]:
    """With one replication account of hub1."""
    folder = Path(tempfile.mkdtemp(prefix="ad-", dir="/tmp"))
    folder.chmod(0o755)
    organization = Organization(
        "x", (AcceptedDomain("example.test"),), (HUB, EDGE), profile=profile, offset=free_offset((50389, 50636))
    )
    try:
        where = state.create(folder / "state")
        certificates.ensure(where, organization, EDGE, datetime.datetime.now(datetime.UTC))
        edge.prepare_edge(where)
        _give_away(where)
        engine = adam.AdamEngine(organization, EDGE, where)
        if lax:
            strict = engine.server
            engine.server = _Lax(strict.folder, strict.sockets, strict.log, strict._password, strict.layout)
        engine.start()
        try:
            name = asyncio.run(_seed(organization, where))
            yield _adam(organization, where, name)
        finally:
            engine.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _seed(organization: Organization, where: StateFolder) -> str:
    await edge.seed(organization, where)
    async with edge.accounts(organization, where) as found:
        return await _account(found)


async def _account(found: AdamAccounts, dn: str = "") -> str:
    return await found.add("hub1", PASSWORD, time.time() - 60, time.time() + 600, dn)


def _adam(organization: Organization, where: StateFolder, name: str) -> Adam:
    nobody, files = Credentials("", ""), certificates.place(where)
    service = (where.secrets / Secret.ADAM_SERVICE).read_text().strip()
    known = TrustedCertificate("edge1", EDGE.fqdn, Role.EDGE, certificate_der(files))

    def subject(here: Server) -> Subject:
        return Subject(
            organization, here, settle(organization.profile), Path("/x"), nobody, nobody,
            Credentials(Secret.ADAM_SERVICE, service), frozenset(), where.sockets, certificate=files, trusted=(known,),
            subscribed={"edge1": HUB.site}, replication={"edge1": (Credentials(name, PASSWORD),)},
        )  # fmt: skip

    return Adam(organization, where, subject(HUB), subject(EDGE))


async def add_account(found: Adam, dn: str) -> None:
    async with edge.accounts(found.organization, found.state) as accounts:
        await _account(accounts, dn)


def _give_away(where: StateFolder) -> None:
    """To the account that serves, as `postern run` would have made it."""
    if os.geteuid() != 0:
        return
    owner = account.owner(where.root)
    for path in where.root.rglob("*"):
        os.lchown(path, owner.uid, owner.gid)


__all__ = ["PASSWORD", "Adam", "add_account", "layout", "running_adam"]
