"""What the server says of the connection: the row of `postern paths observed`.

covers: services.mailbox.housekeeping
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.security import Mechanism, Seal
from postern.services.mailbox.housekeeping import observe
from postern.store.transport import Transport, transport
from postern.telemetry.observed import Observed
from tests.store.conftest import Store


@pytest.mark.slow
def test_the_private_cluster_is_reached_by_its_socket(store: Store) -> None:
    assert store.run(store.database.transport()) == Transport("local", Mechanism.PEER, Seal("local", "unix"))


@pytest.mark.slow
def test_the_role_counts_it(store: Store) -> None:
    observed = Observed(None)
    store.run(observe(store.database, observed))
    assert {key: count for key, (count, _, _) in observed._counts.items()} == {
        ("postgresql", "local", "Peer credentials", "local", "unix"): 1
    }


@pytest.mark.parametrize(
    ("row", "used"),
    [
        (
            (b"192.0.2.5", b"\1", b"TLSv1.3", b"TLS_AES_256_GCM_SHA384", None, b"\0", b"\0"),
            Transport("192.0.2.5", Mechanism.SCRAM, Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")),
        ),
        (
            (b"192.0.2.5", b"\1", b"TLSv1.3", b"C", b"/CN=mbx1", b"\0", b"\0"),
            Transport("192.0.2.5", Mechanism.CERTIFICATE, Seal("TLSv1.3", "C")),
        ),
        (
            (b"192.0.2.5", b"\0", None, None, None, b"\1", b"\1"),
            Transport("192.0.2.5", Mechanism.KERBEROS, Seal("GSS", "Kerberos")),
        ),
        ((b"192.0.2.5", b"\0", None, None, None, b"\0", b"\0"), Transport("192.0.2.5", Mechanism.SCRAM, None)),
    ],
)
def test_another_server_by_tls_or_kerberos(row: tuple[bytes | None, ...], used: Transport) -> None:
    class Answers:
        async def run(self, statement: str) -> list[tuple[bytes | None, ...]]:
            return [row]

    assert asyncio.run(transport(Answers())) == used  # type: ignore[arg-type]  # a pool of one answer
