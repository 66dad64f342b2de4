"""Looks recipients up for the categorizer: in the directory's cache, and else in the directory, retrying until it answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from postern.model.directory import UNKNOWN, Directory, DirectoryUnavailable, Recipient
from postern.telemetry.log import Event, log
from postern.transport.categorize import Resolution
from postern.transport.hop import OWN_RETRY, Retry


class RecipientLookUp:
    """Each dispatcher has one, which counts the directory's failures in a row."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._retry = Retry(OWN_RETRY, random.random)
        self._failures = 0

    def answer_from_cache(self, resolution: Resolution) -> None:
        """Answers the resolution from the directory's cache, which mostly knows the address since RCPT. Stops at the first
        address that it does not know, and leaves the resolution waiting."""
        while resolution.is_waiting:
            recipients = {}
            for key in resolution.needs:
                answer = self._directory.cached_recipient(key)
                if answer is UNKNOWN:
                    return
                if answer is not None:
                    recipients[key] = answer
            resolution.answer(recipients)

    async def look_up(self, needs: Iterable[str]) -> dict[str, Recipient]:
        """Returns the recipients among `needs`. Retries until a directory server answers: mail waits, in memory, for it."""
        while True:
            try:
                answers = await self._directory.recipients(sorted(needs))
            except DirectoryUnavailable as error:
                self._failures += 1
                log(Event.DIRECTORY_UNAVAILABLE, error=str(error), failures=self._failures)
                await asyncio.sleep(self._retry.wait(self._failures))
            else:
                self._failures = 0
                return answers
