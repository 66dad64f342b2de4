"""E-mail address policies: makes the addresses that a recipient should have from a person's names and a policy's templates, and
the changes of the entry that give it these addresses.

Pure: `recipient_update` asks which policy counts for a recipient and which addresses others have, and passes both in. An address
that a recipient has is never taken away.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postern.directory import entries
from postern.directory.ad import names
from postern.directory.entries import Values
from postern.model.domains import a_labels, fold

REPLACE = 2
"""RFC 4511 section 4.6."""
_CODE = re.compile(r"%(?:r(?P<old>.)(?P<new>.)|(?P<letters>\d{0,2})(?P<code>[gsimd%]))")
_LOCAL_PART = re.compile(r"[^\w!#$&'*+/=?^`{|}~.-]")
"""Matches characters that a local part without quotes cannot hold (RFC 5322 section 3.2.3, RFC 6531 section 3.3)."""
_MAX_LOCAL = 64
_RULE = re.compile(r"\s*+(?P<name>[A-Za-z][A-Za-z0-9-]*+)\s*+=\s*+(?P<value>[^,\s][^,]*+)")
Change = tuple[int, str, list[bytes] | None]


class PolicyError(Exception):
    """A filter or template means nothing; the text says which one, and what would be right."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """An e-mail address policy. Of the policies that match a recipient, the one with the lowest `order` counts. `filter` is an
    LDAP filter (RFC 4515). The first of `templates` makes the primary address."""

    name: str
    order: int
    filter: str
    templates: tuple[str, ...]

    @property
    def mark(self) -> str:
        """The mark of this policy as it is now, which recipients carry whose addresses it made."""
        text = "\n".join((self.name, self.filter, *self.templates))
        return f"postern:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def policy(values: Values) -> AddressPolicy:
    """Reads a policy from its entry. The value of `gatewayProxy` that begins with "SMTP:" makes the primary address."""
    templates = [value.decode() for value in values.get(names.GATEWAY_PROXY, ())]
    ordered = sorted(
        (template for template in templates if template[:5].lower() == "smtp:"),
        key=lambda template: template[:5] != "SMTP:",
    )
    return AddressPolicy(
        name=entries.text(values, "cn"),
        order=entries.number(values, names.POLICY_ORDER),
        filter=entries.text(values, names.PURPORTED_SEARCH),
        templates=tuple(template[5:] for template in ordered),
    )


def attributes(policy: AddressPolicy) -> dict[str, list[bytes]]:
    """Returns the attributes of a policy's entry, without the name."""
    schemes = ["SMTP:", *["smtp:"] * (len(policy.templates) - 1)]
    return {
        names.POLICY_ORDER: [str(policy.order).encode()],
        names.PURPORTED_SEARCH: [policy.filter.encode()],
        names.GATEWAY_PROXY: [f"{a}{b}".encode() for a, b in zip(schemes, policy.templates, strict=True)],
    }


def filter_of(text: str) -> str:
    """Reads a filter as an administrator writes it: an LDAP filter, or rules such as "department=Sales, company=Corp" that must
    all hold. Raises PolicyError."""
    text = text.strip()
    if text.startswith("("):
        if text.count("(") != text.count(")"):
            raise PolicyError(f"the parentheses of {text} do not match")
        return text
    rules = [_RULE.fullmatch(part) for part in text.split(",")]
    if not text or not all(rules):
        raise PolicyError(
            f'"{text}" is no filter: write department=Sales, or an LDAP filter such as (department=Sales)'
        )
    terms = [f"({rule['name']}={_escaped(rule['value'].rstrip())})" for rule in rules if rule is not None]
    return terms[0] if len(terms) == 1 else f"(&{''.join(terms)})"


def check_template(template: str, domains: Iterable[str]) -> str:
    """Returns the template as it is kept. Raises PolicyError for one that makes no address in a domain of ours."""
    local, at, domain = template.rpartition("@")
    if not at or not local or a_labels(domain) not in set(map(a_labels, domains)):
        raise PolicyError(
            f'"{template}" ends with no accepted domain: write such as %m@{next(iter(domains), "corp.test")}'
        )
    rest = _CODE.sub("", local)
    if "%" in rest or _LOCAL_PART.search(rest):
        raise PolicyError(
            f'"{template}" holds what is no code: %g given name, %s surname, %i initials, %m mail nickname, %d display name, '
            "a number before the letter for as many letters (%1g), %rXY to write Y for X, %% for itself"
        )
    return f"{local}@{a_labels(domain)}"


def expand(template: str, values: Values) -> str:
    """Returns the address that a template makes of a person's names; "" if it makes none (no surname for %s)."""
    local, _, domain = template.rpartition("@")
    replaced: list[tuple[str, str]] = []
    named = {"g": "givenName", "s": "sn", "i": "initials", "m": "mailNickname", "d": "displayName", "%": ""}
    made, place, empty = [], 0, False
    for match in _CODE.finditer(local):
        made.append(local[place : match.start()])
        place = match.end()
        if match["old"]:
            replaced.append((match["old"], match["new"]))
            continue
        word = "%" if match["code"] == "%" else _plain(entries.text(values, named[match["code"]]), replaced)
        word = word[: int(match["letters"])] if match["letters"] else word
        empty = empty or not word
        made.append(word)
    made.append(local[place:])
    text = re.sub(r"\.{2,}", ".", "".join(made)).strip(".")
    return "" if empty or not text else fold(f"{text[:_MAX_LOCAL]}@{domain}")


def _plain(word: str, replaced: Sequence[tuple[str, str]]) -> str:
    for old, new in replaced:
        word = word.replace(old, new)
    return _LOCAL_PART.sub("", word)


def numbered(address: str, number: int) -> str:
    """Returns the variant of an address with this number, for when others have those before: alice@…, alice2@…, alice3@…"""
    local, _, domain = address.partition("@")
    return address if number < 2 else f"{local[: _MAX_LOCAL - len(str(number))]}{number}@{domain}"


Taken = Callable[[str], bool]
"""Returns whether another recipient has this address."""


def wanted_addresses(policy: AddressPolicy, values: Values, taken: Taken) -> list[str]:
    """Returns the addresses of the policy for a recipient, the primary first. Each template gives its first variant that the
    recipient has already or that nobody has."""
    have, addresses = set(entries.addresses_of(values)), []
    for template in policy.templates:
        address = expand(template, values)
        if not address:
            continue
        for number in range(1, 1000):
            variant = numbered(address, number)
            if variant in have or not taken(variant):
                addresses.append(variant)
                break
    return list(dict.fromkeys(addresses))


def changes(
    values: Values, policy: AddressPolicy | None, wanted: Sequence[str], lists: Iterable[str], ours: str
) -> list[Change]:
    """Returns the changes that recipient update writes on an entry; [] if the entry is as it should be.

    `policy` is the policy that counts, None for none; `wanted` are its addresses. `lists` are the address lists that the
    recipient is in. All of Postern's lists end with the distinguished name `ours`; memberships in others are left as they are.
    """
    after: dict[str, list[bytes]] = {}
    excluded = names.EXCLUDED.encode() in [value.upper() for value in values.get(names.POLICIES_EXCLUDED, ())]
    primary = entries.primary_of(values)
    if policy is not None and wanted and not excluded:
        primary = wanted[0]
        after["proxyAddresses"] = _proxies(values, wanted)
        after[names.POLICIES_INCLUDED] = [policy.mark.encode()]
    if primary and primary.isascii():
        after["mail"] = [primary.encode()]
    if not entries.text(values, "displayName"):
        after["displayName"] = [_display_name(values).encode()]
    if not entries.text(values, "legacyExchangeDN"):
        after["legacyExchangeDN"] = [legacy_name(entries.guid_of(values), entries.text(values, "mailNickname"))]
    others = [name for name in values.get(names.SHOW_IN_ADDRESS_BOOK, ()) if not _is_ours(name.decode(), ours)]
    after[names.SHOW_IN_ADDRESS_BOOK] = [*others, *(name.encode() for name in lists)]
    return [(REPLACE, name, new or None) for name, new in after.items() if _differs(name, values.get(name, ()), new)]


def _proxies(values: Values, wanted: Sequence[str]) -> list[bytes]:
    """Returns the new values of proxyAddresses: the primary, then the former values in their order (a former primary as a further
    address), then new addresses."""
    have = {fold(value.decode()): value for value in values.get("proxyAddresses", ())}
    first = f"smtp:{wanted[0]}"
    made = [b"SMTP:" + have.get(first, first.encode())[5:]]  # keeps the case in which it was written
    for key, value in have.items():
        if key == first:
            continue
        made.append(b"smtp:" + value[5:] if value[:5] == b"SMTP:" else value)
    made += [b"smtp:" + address.encode() for address in wanted[1:] if f"smtp:{address}" not in have]
    return made


def _differs(name: str, before: Sequence[bytes], after: Sequence[bytes]) -> bool:
    if name == names.SHOW_IN_ADDRESS_BOOK:
        return {fold(dn.decode()) for dn in before} != {fold(dn.decode()) for dn in after}
    return sorted(before) != sorted(after)


def _is_ours(name: str, ours: str) -> bool:
    return fold(name).endswith("," + fold(ours))


def _display_name(values: Values) -> str:
    both = " ".join(filter(None, (entries.text(values, "givenName"), entries.text(values, "sn"))))
    return both or entries.text(values, "cn")


def legacy_name(guid: UUID, nickname: str) -> bytes:
    """Returns legacyExchangeDN, a name within the organization that stays when the person moves or is renamed."""
    return f"/o=Postern/ou=Exchange Administrative Group/cn=Recipients/cn={guid.hex}-{_LOCAL_PART.sub('', nickname)}".encode()


def _escaped(value: str) -> str:
    """Escapes a value for a filter (RFC 4515 section 3). A star stays a star, so that department=Sales* is possible."""
    return "".join(f"\\{ord(letter):02x}" if letter in "\\()\0" else letter for letter in value)


def by_name(attribute_sets: Iterable[Mapping[str, Sequence[bytes]]]) -> list[AddressPolicy]:
    """Reads policies from the attributes of their entries, in the order in which they count."""
    return sorted(map(policy, attribute_sets), key=lambda each: (each.order, each.name))
