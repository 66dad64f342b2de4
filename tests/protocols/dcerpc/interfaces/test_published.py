"""docs/idl is what the declarations say now.

covers: protocols.dcerpc.interface, mail_submission, mailbox
"""

from __future__ import annotations

from pathlib import Path

from postern.model.delivery import DeliveryStatus
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.published import PUBLISHED

FOLDER = Path(__file__).parents[4] / "docs" / "idl"


def test_docs_hold_every_interface_and_no_other() -> None:
    """tests/docs holds each of them current."""
    assert {path.stem for path in FOLDER.glob("*.idl")} == {interface.name for interface in PUBLISHED}


def test_no_two_interfaces_share_a_uuid() -> None:
    assert len({interface.syntax.uuid for interface in PUBLISHED}) == len(PUBLISHED)


def test_a_hub_cannot_read_mailboxes_at_will() -> None:
    """The delivery interface has what delivery and submission need, and nothing else."""
    assert set(MAILBOX_DELIVERY.numbers) == {"logon", "deliver", "folders", "outbox", "fetch", "submitted", "used"}
    assert "deliver" not in MAILBOX_ACCESS.numbers and "submitted" not in MAILBOX_ACCESS.numbers


def test_the_text_of_deliver_tells_every_status() -> None:
    text = MAILBOX_DELIVERY.operations[MAILBOX_DELIVERY.numbers["deliver"]].purpose
    assert all(f"{status.value} {status.name.lower().replace('_', ' ')}" in text for status in DeliveryStatus)
