"""What a host needs before its roles start: the mailbox database's schema, and its own entries in the directory."""

from __future__ import annotations

from postern.model.organization import Organization, Server, StateFolder


async def seed(state: StateFolder, organization: Organization, server: Server) -> str:
    """Brings the database's schema up to date and makes the directory's entries that every start relies on."""
    return ""


async def demo(state: StateFolder, organization: Organization, server: Server, password: str | None) -> str:
    """The mailboxes of alice, bob and carol; returns their password."""
    return password or ""
