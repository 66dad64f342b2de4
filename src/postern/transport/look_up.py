"""Recipients for the categorizer: from what the directory said lately, and else from the directory, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from postern.model.directory import UNKNOWN, Directory, DirectoryUnavailable, Recipient
from postern.telemetry.log import Event, log
from postern.transport.categorize import Resolution
from postern.transport.hop import OWN_RETRY, delay


class RecipientLookUp:
    """One a dispatcher."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._failures = 0

    def remember(self, resolution: Resolution) -> None:
        """Answers what is known without asking: mostly the address was looked up at RCPT."""
        while resolution.is_waiting:
            found = {}
            for key in resolution.needs:
                answer = self._directory.cached_recipient(key)
                if answer is UNKNOWN:
                    return
                if answer is not None:
                    found[key] = answer
            resolution.answer(found)

    async def look_up(self, needs: Iterable[str]) -> dict[str, Recipient]:
        """Asks until a directory server answers: mail waits, in memory, for it."""
        while True:
            try:
                answers = await self._directory.recipients(sorted(needs))
            except DirectoryUnavailable as error:
                self._failures += 1
                log(Event.DIRECTORY_UNAVAILABLE, error=str(error), failures=self._failures)
                await asyncio.sleep(delay(OWN_RETRY, self._failures))
            else:
                self._failures = 0
                return answers
