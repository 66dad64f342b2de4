"""The steps of a plan for Active Directory, and their forms for readers: LDIF (RFC 2849) and sentences.

Pure. `setup`, `servers` and `removal` plan the steps; `forest` carries them out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from postern.directory.ad.security_descriptor import Grant

_CHANGES = {0: "add", 1: "delete", 2: "replace"}
"""RFC 4511 section 4.6."""


@dataclass(frozen=True, slots=True)
class Add:
    """A new object. With `secret` it is an account that gets a random password in the same request."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Modify:
    """A modification; `changes` are those of `ldap.client.Change`."""

    dn: str
    changes: Sequence[tuple[int, str, Sequence[bytes] | None]]


@dataclass(frozen=True, slots=True)
class Delete:
    dn: str


@dataclass(frozen=True, slots=True)
class NewSecret:
    """Gives a random password to the account at `dn`. The former one stops working."""

    dn: str


@dataclass(frozen=True, slots=True)
class Rights:
    """Makes `grants` the only entries of the group in the access-control list of `dn`."""

    dn: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Refresh:
    """Makes the controller use the schema as extended so far: schemaUpdateNow, MS-ADTS 3.1.1.3.3.13."""


Action = Add | Modify | Delete | NewSecret | Rights | Refresh


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step. `area` groups steps for the reader ("schema", "containers", "rights", a server's name). `account` is the
    sAMAccountName of the account whose secret this step makes."""

    area: str
    title: str
    action: Action
    account: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one run. `notes` are sentences about what is left as it is, and why."""

    steps: tuple[SetupStep, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def changes_schema(self) -> bool:
        return any(step.area == "schema" for step in self.steps)

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(step.account for step in self.steps if step.account)


def ldif(steps: Iterable[SetupStep]) -> str:
    """Returns all steps as one LDIF file. Comments stand for what a file cannot hold (a random password, the group's SID)."""
    return "version: 1\n\n" + "\n".join("\n".join(_record(step)) + "\n" for step in steps)


def _record(step: SetupStep) -> Iterator[str]:
    action = step.action
    yield f"# {step.area}: {step.title}"
    match action:
        case Add():
            yield from (_line("dn", action.dn.encode()), "changetype: add")
            for name, values in action.attributes.items():
                yield from (_line(name, value) for value in values)
            if action.secret:
                yield "# unicodePwd: a random password, which only this host's files will hold"
        case Modify():
            yield from (_line("dn", action.dn.encode()), "changetype: modify")
            for kind, name, changed in action.changes:
                yield f"{_CHANGES[kind]}: {name}"
                yield from (_line(name, value) for value in changed or ())
                yield "-"
        case Delete():
            yield from (_line("dn", action.dn.encode()), "changetype: delete")
        case NewSecret():
            yield f"# {action.dn}: replace unicodePwd by a random password"
        case Rights():
            yield f"# {action.dn}: nTSecurityDescriptor, entries of the group Postern Servers:"
            yield from (f"#   {grant.sddl('Postern Servers')}" for grant in action.grants)
            if not action.grants:
                yield "#   none"
        case Refresh():
            yield from ("dn:", "changetype: modify", "add: schemaUpdateNow", "schemaUpdateNow: 1", "-")


def _line(name: str, value: bytes) -> str:
    """Returns one line of LDIF (RFC 2849): a SAFE-STRING as it is, all else in base64, folded at 76 characters."""
    safe = value.isascii() and value[:1] not in (b" ", b":", b"<") and not value.endswith(b" ")
    if safe and not any(octet in value for octet in b"\0\r\n"):
        text = f"{name}: {value.decode()}"
    else:
        text = f"{name}:: {base64.b64encode(value).decode()}"
    lines = [text[:76], *(" " + text[start : start + 75] for start in range(76, len(text), 75))]
    return "\n".join(lines)
