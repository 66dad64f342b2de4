"""The servers' own entries in Active Directory: what each tells of itself there. `setup ad` makes them.

A server writes on its entry alone; what it says of itself is its part's business.
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
        """Version and state of a server, written where they differ. Raises DirectoryUnavailable; an entry that is missing is
        logged, for nothing depends on it."""
        found = await self._client.search("", BASE, "(objectClass=*)", ("configurationNamingContext",))
        configuration = entries.text(found[0].attributes, "configurationNamingContext") if found else ""
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
