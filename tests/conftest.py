"""Fixtures that several parts share: one private PostgreSQL cluster and one Samba domain a test run, one fresh database a test
module."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from postern.host.engines.postgres import ClusterError, PrivateCluster
from postern.telemetry.metrics import METRICS, Metrics
from tests.directory.samba import samba_domain, samba_second
from tests.support.needs import Watch, first_the_longest, group, mark, needs, undeclared

__all__ = ["postgres_cluster", "postgres_dsn", "samba_domain", "samba_second"]


_WATCH = Watch()

# A busy machine is slow; that tells nothing about what is tested.
settings.register_profile("postern", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("postern")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """What this process counts from now on."""
    for name, empty in vars(Metrics()).items():
        monkeypatch.setattr(METRICS, name, empty)
    return METRICS


def pytest_configure(config: pytest.Config) -> None:
    _WATCH.begin()
    config.add_cleanup(_WATCH.end)


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark(item)
    if "PYTEST_XDIST_WORKER" in os.environ:
        first_the_longest(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    _WATCH.seen.clear()
    yield
    _hold_to_its_markers(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    _WATCH.seen.clear()
    yield
    _hold_to_its_markers(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield
    structlog.reset_defaults()  # a log that a test sent to where it looked (capfd) is closed for the next ones


def _hold_to_its_markers(item: pytest.Item) -> None:
    if missing := undeclared(item, _WATCH.seen):
        pytest.fail(f"it starts {', '.join(sorted(missing))}: mark it so (tests/support/needs.py)", pytrace=False)


@pytest.fixture(scope="session")
@needs("postgres")
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
