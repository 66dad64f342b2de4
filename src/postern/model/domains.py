"""Domain names and addresses as they are compared everywhere: A-labels in lower case (RFC 5890), by the mapping of UTS 46.

Pure. A name may be written in letters or in A-labels (회사.test is xn--vf4b131b.test); whatever keeps, looks up or compares one
takes it through this module first, and whatever shows one of ours to people takes it back through `shown`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache

MAX_NAME = 255
"""Octets of a domain name (RFC 1035 section 2.3.4)."""
_MAX_LABEL = 63
_MAX_ADDRESS = 512
"""More than RFC 5321 section 4.5.3.1 lets an address have: composing a long run of marks takes the square of its length."""
_PREFIX = "xn--"
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}+(?<!-)")
_NAME = frozenset(string.ascii_lowercase + string.digits + ".-_")


def a_labels(domain: str) -> str:
    """The domain in A-labels and lower case. A text that is no name of IDNA comes out in lower case and composed, and equals only
    itself.

    Bound: linear in the domain; the mapping sees 255 characters at most.
    """
    return domain.lower() if domain.isascii() or len(domain) > MAX_NAME else _encoded(domain)


@lru_cache(maxsize=1024)
def _encoded(domain: str) -> str:
    import idna  # its tables are large, and most organizations never need them

    if domain.startswith("*."):
        return "*." + a_labels(domain[2:])
    plain = unicodedata.normalize("NFC", domain.lower())
    try:
        mapped = idna.uts46_remap(plain, std3_rules=False)
    except (idna.IDNAError, UnicodeError):
        return plain
    if any(letter.isascii() and letter not in _NAME for letter in mapped):
        return plain  # a wide @ or = must not become one that means something
    labels = [_a_label(label) for label in mapped.split(".")]
    return ".".join(labels) if max(map(len, labels)) <= _MAX_LABEL else plain


def _a_label(label: str) -> str:
    import idna

    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except (idna.IDNAError, UnicodeError):
        # Letters that IDNA 2008 left out, such as emoji, stand in DNS nevertheless (UTS 46 section 4).
        return _PREFIX + label.encode("punycode").decode()


def domain_name(text: str) -> str:
    """The domain that an administrator names, in A-labels; a dot at its end is dropped. Raises ValueError for a text that is no
    domain name.

    A label has 1 to 63 letters, digits and hyphens within (RFC 1035 section 2.3.1); the last one is no number (RFC 1123 section
    2.1), and one that begins with xn-- stands for letters (RFC 5890 section 2.3.2.1). A single label is a name, too.
    """
    name = a_labels(text).removesuffix(".")
    labels = name.split(".") if len(name) <= MAX_NAME - 2 else []
    well_formed = all(_LABEL.fullmatch(label) and _means_something(label) for label in labels)
    if not labels or labels[-1].isdigit() or not well_formed:
        raise ValueError(f"{text} is no domain name")
    return name


def mail_domain(text: str) -> str:
    """The domain as `domain_name` reads it; it must have more than one label, as mail addresses do. Raises ValueError."""
    name = domain_name(text)
    if "." not in name:
        raise ValueError(f"{text} has one label only")
    return name


def _means_something(label: str) -> bool:
    if not label.startswith(_PREFIX):
        return True
    try:
        letters = label[len(_PREFIX) :].encode().decode("punycode")
        return (
            letters.isprintable() and not letters.isascii() and _PREFIX + letters.encode("punycode").decode() == label
        )
    except UnicodeError:
        return False


def netbios_name(name: str) -> str:
    """The NetBIOS name for a name in DNS, where nobody chose another: its first label in capitals, at most 15 letters."""
    return name.partition(".")[0].upper()[:15]


def fold(address: str) -> str:
    """An address as it is compared everywhere: lower case, composed (RFC 6532 section 3.1), its domain in A-labels. One that
    is longer than any address can be equals only itself.

    Bound: linear in the address; 512 characters at most are composed.
    """
    if address.isascii() or len(address) > _MAX_ADDRESS:
        return address.lower()
    local, at, domain = address.lower().rpartition("@")
    return unicodedata.normalize("NFC", local) + at + (a_labels(domain) if at else unicodedata.normalize("NFC", domain))


def shown(address: str) -> str:
    """An address or a domain as people read it: A-labels as the letters that they stand for.

    Bound: linear in the address; the mapping sees 255 characters at most.
    """
    local, at, domain = address.rpartition("@")
    if _PREFIX not in domain.lower() or len(domain) > MAX_NAME:
        return address
    return local + at + ".".join(map(_decoded, domain.split(".")))


@lru_cache(maxsize=1024)
def _decoded(label: str) -> str:
    import idna

    try:
        return idna.decode(label) if label.lower().startswith(_PREFIX) else label
    except (idna.IDNAError, UnicodeError):
        return label


def spellings(address: str) -> tuple[str, ...]:
    """The spellings in which a directory may keep an address or a domain: as it is compared, and in letters, which other
    programs write."""
    folded = fold(address) if "@" in address else a_labels(address)
    written = shown(folded)
    return (folded,) if written == folded else (folded, written)
