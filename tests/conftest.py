"""Fixtures that several parts share: one private PostgreSQL cluster and one Samba domain a test run, one fresh database a test
module."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.host.postgres import ClusterError, PrivateCluster
from tests.directory.samba import samba_domain, samba_second

__all__ = ["postgres_cluster", "postgres_dsn", "samba_domain", "samba_second"]


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PrivateCluster]:
    """A running cluster in a short temporary folder; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o711)  # PostgreSQL may run as another user than the tests
    try:
        cluster = PrivateCluster(folder / "data", folder / "s", folder / "log")
    except ClusterError as error:
        shutil.rmtree(folder)
        pytest.skip(str(error))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres_dsn(postgres_cluster: PrivateCluster, request: pytest.FixtureRequest) -> str:
    """Connection words of a fresh, empty database, named after the test module."""
    name = "t_" + request.module.__name__.replace(".", "_").lower()[-50:]
    postgres_cluster.create_database(name)
    return postgres_cluster.conninfo(name)
