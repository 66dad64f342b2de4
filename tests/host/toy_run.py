"""`postern` with toys in place of the three roles: what `host.supervision.launch` does is real.

So are PostgreSQL and slapd.
"""

from __future__ import annotations

import asyncio
import sys
import types

from postern.roles.runtime import Running, Runtime

DOORS = {"hub": 587, "mailbox": 135, "client_access": 993}


class Toy:
    def __init__(self, server: asyncio.Server) -> None:
        self.server = server

    async def stop(self) -> None:
        self.server.close()


def role(number: int) -> types.ModuleType:
    async def start(runtime: Runtime) -> Running:
        port = runtime.organization.port(number)
        address = runtime.server.addresses[0]
        return Toy(await asyncio.start_server(lambda reader, writer: writer.close(), address, port, reuse_port=True))

    module = types.ModuleType("toy")
    module.start = start
    return module


if __name__ == "__main__":
    for name, number in DOORS.items():
        sys.modules[f"postern.roles.{name}"] = role(number)
    from postern.cli.main import main

    main()
