"""calendar-query, addressbook-query and free-busy-query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from postern.services.dav.folders import Collection
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.request import Answer, Request

ANSWERS: Mapping[str, Callable[[OwnMailbox, Collection, Any, Request], Awaitable[Answer]]] = {}
