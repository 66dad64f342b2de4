"""Run in a process of its own, for libkrb5's environment is a process's: as the server of a state folder (argv: folder, server's
name, keytab) tries the writes given on standard input, each {"dn", "add" or "replace" or "delete"}, and prints what came of them.
"""

from __future__ import annotations

import asyncio
import json
import sys

from postern.directory.ldap.client import REPLACE
from postern.directory.ldap.connection import AlreadyThere, NoSuchEntry, Refused
from postern.host import configuration, state
from postern.host.domain_session import as_server


async def main() -> None:
    folder = state.find(sys.argv[1])
    organization = configuration.load(folder)
    results = []
    async with as_server(folder, organization, organization.server(sys.argv[2]), "hub-to-ad") as client:
        for one in json.load(sys.stdin):
            try:
                if "add" in one:
                    await client.add(one["dn"], {name: [value.encode()] for name, value in one["add"].items()})
                elif "replace" in one:
                    changes = [(REPLACE, name, [value.encode()]) for name, value in one["replace"].items()]
                    await client.modify(one["dn"], changes)
                else:
                    await client.delete(one["dn"])
                results.append("done")
            except Refused as error:
                results.append(str(error).partition(":")[0])
            except (AlreadyThere, NoSuchEntry) as error:
                results.append(type(error).__name__)
    print(json.dumps(results))


asyncio.run(main())
