"""What a line of the table means, and that a word which does not exist is no row."""

from __future__ import annotations

import pytest

from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.declaration import own, row
from postern.paths.row import Cells, Party, Table


def test_a_line_of_the_reference_has_its_cells_from_the_file() -> None:
    made = row("owa", "client, administrator > client-access", ports.WEB, "Forms", "TLS", supported="Basic, Forms")
    assert (made.table, made.name) == (Table.CLIENT_ACCESS, "Outlook Web Access")
    assert (made.caller, made.callee) == ((Party.CLIENT, Party.ADMINISTRATOR), Party.CLIENT_ACCESS)
    assert (made.default_auth, made.supported_auth) == ((Mechanism.FORMS,), (Mechanism.BASIC, Mechanism.FORMS))
    assert made.cells.supported_auth == "Basic, Digest, Forms, NTLM (v2 only), Kerberos, Certificate"
    with pytest.raises(KeyError):
        row("no-such-row", "client > hub", ports.SMTP, "Basic", "TLS")


@pytest.mark.parametrize(
    ("text", "seal", "encryption"),
    [
        ("SIP over TLS", "SIP over TLS", Encryption.REQUIRED),
        ("TLS offered", "TLS", Encryption.OFFERED),
        ("IPsec never", "IPsec", Encryption.NEVER),
        ("never", "", Encryption.NEVER),
    ],
)
def test_encryption_is_required_where_nothing_else_is_said(text: str, seal: str, encryption: Encryption) -> None:
    made = own("x", "client > hub", ports.SMTP, "Basic", text, name="X")
    assert (made.seal, made.encryption) == (seal, encryption)


def test_a_row_of_ours_is_worded_as_the_reference_words_its_own() -> None:
    made = own("x", "hub > active-directory", ports.AD, "Kerberos", "Kerberos", name="X", notes="a note")
    assert made.cells == Cells(
        "389/TCP, 389/UDP (LDAP); 3268/TCP (LDAP GC); 88/TCP, 88/UDP (Kerberos); 53/TCP, 53/UDP (DNS); 135/TCP (RPC)",
        "Kerberos",
        "Kerberos",
        "Kerberos encryption",
        "yes",
        "a note",
    )
    never = own("x", "client > hub", ports.SMTP, "Basic", "never", name="X", cells={"default_auth": "By heart"})
    assert never.cells == Cells("25/TCP (TLS)", "By heart", "Basic", "none", "no")


@pytest.mark.parametrize(
    ("who", "auth", "encryption"),
    [
        ("client > nobody", "Basic", "TLS"),
        ("client", "Basic", "TLS"),
        ("client > hub", "Basic; NTLM", "TLS"),
        ("client > hub", "Basic", "ROT13"),
        ("client > hub", "Basic", "TLS always"),
    ],
)
def test_a_word_that_does_not_exist_is_no_row(who: str, auth: str, encryption: str) -> None:
    with pytest.raises(ValueError):
        own("x", who, ports.SMTP, auth, encryption, name="X")
