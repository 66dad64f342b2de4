"""Short temporary folders that the serving account may pass, whoever runs the tests; and ports that nobody uses."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from postern.host import configuration, ports


def free_offset() -> int:
    """An offset at which the default organization's doors are free now, below the ephemeral range. Chance keeps test
    runs beside this one from choosing the same."""
    organization = configuration.parse(configuration.DEFAULT.format(offset=0))
    for offset in random.sample(range(1000, 12000), 200):
        shifted = dataclasses.replace(organization, offset=offset, rpc_ports=(20000 + offset, 20019 + offset))
        with contextlib.suppress(ports.PortError):
            ports.check(shifted, shifted.servers[0])
            return offset
    raise AssertionError("no free ports")


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """pytest's own are too long for unix sockets, and closed to other accounts when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="ph-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
