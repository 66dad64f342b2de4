"""A supervisor of toy roles, for the tests to start, strike and stop: `python -m tests.host.toy_host STATE PORT [how]`.

`how`: "fail" (a worker raises at its start), "deaf" (a worker does not end when told), "silent" (a worker dies without a word),
"busy" (a worker that is told by SIGALRM never comes back to its loop, and worked on "toy" then), "brief" (as usual, with a short
patience for silence), "counted" (as usual, and what it counts is written down).
Whoever looks after certificates takes the file "renew" in the state folder away. A worker that gets SIGUSR1 opens sockets that
fit no row. It prints "ready" and whatever ended it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from postern.host import account, configuration, state
from postern.host.supervision import processes, supervisor, watch, worker
from postern.model.organization import Role
from postern.roles.runtime import Running, Runtime
from postern.telemetry import attempts
from postern.telemetry.log import configure


class Toy:
    """One worker: a listener on a port of the table, and, when told, a rogue listener with a rogue connection to it."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.servers: list[asyncio.Server] = []

    async def open(self, port: int, shared: bool) -> int:
        server = await asyncio.start_server(self._greet, "127.0.0.1", port, reuse_port=shared)
        self.servers.append(server)
        number: int = server.sockets[0].getsockname()[1]
        return number

    async def go_rogue(self) -> None:
        port = await self.open(0, shared=False)
        self.connection = await asyncio.open_connection("127.0.0.1", port)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{os.getpid()}\n".encode())

    async def stop(self) -> None:
        for server in self.servers:
            server.close()
        if self.how == "deaf":
            await asyncio.Event().wait()


def starter(how: str) -> supervisor.Start:
    async def start(runtime: Runtime) -> Running:
        assert threading.active_count() == 1
        if how == "fail":
            raise OSError(98, "Address already in use")
        if how == "silent":
            os.kill(os.getpid(), signal.SIGKILL)
        toy = Toy(how)
        await toy.open(runtime.organization.port(143), shared=True)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGALRM, _never_return)
        loop.add_signal_handler(signal.SIGUSR1, lambda: setattr(toy, "task", loop.create_task(toy.go_rogue())))
        return toy

    return start


def _never_return() -> None:
    with attempts.attempt("toy"):
        while True:
            pass


def main(folder: str, offset: int, how: str) -> None:
    os.umask(0o077)
    made = state.create(folder)
    lock = processes.Lock(made)
    if not configuration.path(made).exists():
        configuration.default(made, offset)
    orphans = processes.end_orphans(made)
    account.become(account.owner(made.root))
    account.stay_inspectable()
    configure("supervisor", made.logs / "supervisor.jsonl")
    organization = replace(configuration.load(made), metrics=how == "counted")
    server = organization.servers[0]
    plan = supervisor.Plan(
        organization=organization,
        server=server,
        state=made,
        starts={Role.CLIENT_ACCESS: starter(how)},
        workers=2,
        watch=watch.Watch(organization, server, made),
        refresh=lambda: (made.root / "renew").unlink(missing_ok=True),
    )
    supervisor.REFRESH_EVERY = 3600.0 if how == "hang-up" else 0.1
    supervisor.WATCH_EVERY = 0.2
    worker._METRICS_EVERY = 0.1
    if how in ("busy", "brief"):
        worker.PULSE_EVERY, supervisor.SILENCE, supervisor.GAP = 0.1, 2.0, 0.5
    one = supervisor.Supervisor(plan, lock)
    try:
        one.start()
        print("ready", *(orphan.name for orphan in orphans), flush=True)
        one.serve()
    except supervisor.StartError as error:
        print(f"failed {error}", flush=True)
    finally:
        one.stop()
        lock.release()
    print("stopped", flush=True)


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
