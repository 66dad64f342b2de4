"""The servers' own entries in Active Directory, on which each server writes its version and state. `setup ad` makes them.

A server writes on its own entry only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from postern.directory import entries
from postern.directory.ad import names
from postern.directory.ldap.client import BASE, REPLACE, Change, Client, NoSuchEntry, Refused, escape_rdn
from postern.telemetry.log import Event, log


class ServerObjects:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def register(self, server: str, version: str, state: Mapping[str, object]) -> None:
        """Writes version and state of a server where they differ. Raises DirectoryUnavailable. A missing entry is only logged,
        for nothing depends on it."""
        root = await self._client.search("", BASE, "(objectClass=*)", ("configurationNamingContext",))
        configuration = entries.text(root[0].attributes, "configurationNamingContext") if root else ""
        dn = f"CN={escape_rdn(server)},{names.SERVERS},{configuration}"
        wanted = {names.VERSION: version, names.STATE: json.dumps(dict(state), sort_keys=True)}
        have = await self._client.search(dn, BASE, "(objectClass=*)", tuple(wanted))
        values = have[0].attributes if have else {}
        changes: list[Change] = [
            (REPLACE, name, [text.encode()]) for name, text in wanted.items() if entries.text(values, name) != text
        ]
        try:
            if changes:
                await self._client.modify(dn, changes)
        except (NoSuchEntry, Refused) as error:
            log(Event.DIRECTORY_UNAVAILABLE, path=self._client.row.id, error=f"{dn}: {error or 'is not there'}")
