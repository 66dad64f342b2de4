"""What `setup ad` plans: all of it in a fresh forest, nothing the second time, and Exchange's schema as it is.
covers: schema, steps, rights, servers, removal, names
"""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import ldif
import pytest

from postern.directory.ad import names
from postern.directory.ad import removal as ad_removal
from postern.directory.ad import rights as ad_rights
from postern.directory.ad import schema as ad_schema
from postern.directory.ad import servers as ad_servers
from postern.directory.ad import setup as ad_setup
from postern.directory.ad import steps as ad_steps
from postern.directory.ad.security_descriptor import WRITE_PROPERTY
from postern.directory.ad.setup import Forest, Known, SetupError
from postern.directory.ad.steps import Add, Delete, Modify, NewSecret, Rights, SetupStep
from postern.model.organization import Database, Role, Server
from tests.directory.forests import EXCHANGE, SCHEMA, after, fresh

HUB = Server("hub1", "hub1.corp.test", frozenset({Role.HUB}), ("192.0.2.20",), "Headquarters")
CAS = Server("cas1", "cas1.corp.test", frozenset({Role.CLIENT_ACCESS}), ("192.0.2.40",))


SALES = Database("sales", "mbx1")


def whole(forest: Forest, known: bool = False) -> list[SetupStep]:
    steps = list(ad_setup.steps(forest, "corp.test"))
    steps += [step for server in (HUB, CAS) for step in ad_servers.steps(forest, server, known)]
    steps += ad_servers.database_steps(forest, [SALES])
    return [*steps, *ad_servers.probe_steps(forest, "corp.test", "postern-probe@corp.test", SALES, known)]


def prepared() -> Forest:
    return after(fresh(), whole(fresh()))


def test_a_second_run_has_nothing_to_do() -> None:
    first = whole(fresh())
    assert len(first) > 60
    assert whole(prepared(), known=True) == []


def test_parents_come_before_children_and_attributes_before_classes() -> None:
    made: set[str] = set()
    for step in whole(fresh()):
        if isinstance(step.action, Add):
            parent = step.action.dn.partition(",")[2]
            assert not parent.startswith("CN=Postern,") or parent in made
            assert parent in made or names.ORGANIZATION not in parent, step.action.dn
            made.add(step.action.dn)
    order = [step.title for step in whole(fresh()) if step.area == "schema"]
    last_attribute = max(number for number, title in enumerate(order) if title.startswith("attribute "))
    first_class = min(number for number, title in enumerate(order) if title.startswith("class "))
    assert "use the attributes" in order[last_attribute + 1 : first_class]


def test_numbers_and_names_are_each_there_once() -> None:
    everything = [*ad_schema.ATTRIBUTES, *ad_schema.CLASSES]
    for values in (
        [one.name for one in everything],
        [one.oid for one in everything],
        [one.cn.lower() for one in everything],
    ):
        assert len(set(values)) == len(values)
    assert len({one.guid for one in everything}) == len(everything)
    for one in everything:
        assert all(int(arc) < 2**32 for arc in one.oid.split(".")), one.oid
    links = {one.link for one in ad_schema.ATTRIBUTES if one.link}
    assert all(link ^ 1 in links for link in links), "a link without its back link"


def test_an_exchange_schema_is_used_and_never_touched() -> None:
    theirs = {
        one.name: Known(f"CN={one.cn},{SCHEMA}", one.oid, one.guid, one.syntax.value[0], catalogue=one.catalogue)
        for one in EXCHANGE
    }
    forest = fresh()
    forest = replace(forest, attributes={**forest.attributes, **theirs})
    steps = whole(forest)
    touched = {step.action.dn for step in steps if isinstance(step.action, Add | Modify)}
    assert not touched & {known.dn for known in theirs.values()}
    rights = next(s.action for s in steps if isinstance(s.action, Rights) and s.action.dn == forest.domain)
    written = {grant.what for grant in rights.grants if grant.rights & WRITE_PROPERTY}
    target = next(one for one in EXCHANGE if one.name == "targetAddress")
    assert target.guid in written and ad_schema.MAIL_PROPERTIES in written


def test_what_another_program_brought_under_our_names_or_numbers() -> None:
    forest = fresh()
    send_as = next(one for one in ad_schema.ATTRIBUTES if one.name == "posternSendAs")
    other = Known(f"CN=x,{SCHEMA}", "1.2.3", send_as.guid, "2.5.5.9")
    with pytest.raises(SetupError, match=r"posternSendAs has the syntax 2\.5\.5\.9"):
        whole(replace(forest, attributes={**forest.attributes, "posternSendAs": other}))
    with pytest.raises(SetupError, match="as somethingElse"):
        whole(replace(forest, by_oid={send_as.oid: "somethingElse"}))
    defunct = replace(other, syntax=send_as.syntax.value[0], defunct=True)
    with pytest.raises(SetupError, match="isDefunct"):
        whole(replace(forest, attributes={**forest.attributes, "posternSendAs": defunct}))


def test_rights_are_on_recipients_and_their_mail_alone() -> None:
    forest = prepared()
    rights = [step.action for step in whole(fresh()) if isinstance(step.action, Rights)]
    on_domain, on_container = rights
    kinds = {forest.classes[name].guid for name in ("user", "group", "contact")}
    assert on_domain.dn == forest.domain and {grant.of_class for grant in on_domain.grants} == kinds
    assert all(grant.what is not None for grant in on_domain.grants if grant.rights & WRITE_PROPERTY)
    assert not any(grant.rights & ~(0x30 | 0x20000) for grant in on_domain.grants)
    assert not any(grant.on_itself for grant in on_domain.grants)
    assert on_container.grants == ad_rights.ON_CONTAINER
    assert not any(grant.rights & 0xC0000 for grant in on_container.grants), "access-control lists are not theirs"


def test_a_changed_server_is_brought_up_to_date() -> None:
    forest = prepared()
    moved = replace(HUB, fqdn="mail.corp.test", roles=frozenset({Role.HUB, Role.MAILBOX}))
    steps = list(ad_servers.steps(forest, moved, True))
    assert [type(step.action) for step in steps] == [Modify, Modify]
    (names_added,) = [c[2] for c in steps[0].action.changes if c[1] == "servicePrincipalName"]  # type: ignore[union-attr]  # a Modify
    assert (
        b"exchangeMDB/hub1" in names_added and b"SMTP/mail.corp.test" in names_added and b"SMTP/hub1" not in names_added
    )


def test_a_secret_that_is_not_here_is_made_anew_and_said() -> None:
    steps = list(ad_servers.steps(prepared(), HUB, False))
    assert [type(step.action) for step in steps] == [NewSecret] and "earlier keytab stops working" in steps[0].title


def test_a_server_of_a_name_that_is_taken() -> None:
    forest = fresh()
    other = {"cn=hub1,ou=printers,dc=corp,dc=test": {"sAMAccountName": [b"HUB1$"]}}
    with pytest.raises(SetupError, match="ou=printers"):
        list(ad_servers.steps(replace(forest, objects=other), HUB, False))


def test_keytabs_hold_what_clients_ask_for() -> None:
    assert "imap/cas1.corp.test" in ad_servers.keytab_names(CAS) and "IMAP/cas1" in ad_servers.keytab_names(CAS)
    assert all(name.startswith(("HOST/", "host/", "S", "s")) for name in ad_servers.keytab_names(HUB))


def test_removal_leaves_the_schema_and_nothing_else() -> None:
    forest = prepared()
    steps = list(ad_removal.everything(forest, (HUB, CAS)))
    gone = after(forest, steps)
    assert gone.objects == {} and not gone.may(forest.domain, whole_rights(forest)) and gone.sid == b""
    assert gone.attributes == forest.attributes
    assert [step for step in ad_removal.everything(gone, (HUB, CAS)) if isinstance(step.action, Delete)] == []
    again = whole(gone)
    assert again and not any(step.area == "schema" for step in again)
    assert whole(after(gone, again), known=True) == []


def whole_rights(forest: Forest) -> tuple[object, ...]:
    return next(
        s.action.grants for s in whole(fresh()) if isinstance(s.action, Rights) and s.action.dn == forest.domain
    )


def test_the_ldif_is_what_another_reader_reads() -> None:
    steps = whole(fresh())
    text = ad_steps.ldif(steps)
    records = text.removeprefix("version: 1\n\n").rstrip("\n").split("\n\n")
    said = ["\n".join(line for line in record.split("\n") if not line.startswith("#")) for record in records]
    added = []
    for record in filter(None, said):
        if "\nchangetype: add\n" in record:
            parser = ldif.LDIFRecordList(io.BytesIO(record.replace("changetype: add\n", "").encode() + b"\n"))
            parser.parse()
            added += parser.all_records
        else:
            parser = ldif.LDIFRecordList(io.BytesIO(record.encode() + b"\n\n"))
            parser.parse_change_records()
            assert len(parser.all_modify_changes) == 1
    for (dn, values), action in zip(added, [s.action for s in steps if isinstance(s.action, Add)], strict=True):
        assert dn == action.dn and values == {name: list(new) for name, new in action.attributes.items() if new}
    assert text.count("changetype: add") == sum(isinstance(step.action, Add) for step in steps)
    assert all(len(line) <= 76 for line in text.splitlines() if not line.startswith("#"))
    assert "unicodePwd:" not in text.replace("# unicodePwd:", "")
    guid = next(one for one in ad_schema.ATTRIBUTES if one.name == "targetAddress").guid
    assert f"schemaIDGUID:: {base64.b64encode(guid.bytes_le).decode()}" in text
