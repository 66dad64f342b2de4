"""Templates, and what recipient update writes: no address is ever taken away."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.directory.ad import address_policy as ap
from postern.directory.ad.address_policy import AddressPolicy, PolicyError
from postern.directory.ad.names import EXCLUDED

GUID = UUID(int=7)
OURS = "CN=Address Lists,CN=Postern,CN=Services,CN=Configuration,DC=corp,DC=test"
POLICY = AddressPolicy("Default", 10, "(mailNickname=*)", ("%m@corp.test",))


def person(**values: str | list[str]) -> dict[str, list[bytes]]:
    lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    return {"objectGUID": [GUID.bytes_le]} | {name: [one.encode() for one in found] for name, found in lists.items()}


JANE = person(givenName="Jane", sn="O'Hara Smith", initials="Q", mailNickname="jane", displayName="Jane Smith", cn="js")


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("%m@corp.test", "jane@corp.test"),
        ("%g.%s@corp.test", "jane.o'harasmith@corp.test"),
        ("%1g%s@corp.test", "jo'harasmith@corp.test"),
        ("%2g%1s%i@corp.test", "jaoq@corp.test"),
        ("%r._%d@corp.test", "janesmith@corp.test"),
        ("%rae%g@corp.test", "jene@corp.test"),
        ("100%%%m@corp.test", "100%jane@corp.test"),
        ("fixed@corp.test", "fixed@corp.test"),
    ],
)
def test_codes(template: str, address: str) -> None:
    assert ap.expand(template, JANE) == address
    assert ap.check_template(template, ["corp.test"]) == template


def test_a_name_that_is_missing_makes_no_address() -> None:
    assert ap.expand("%g.%s@corp.test", person(givenName="Jane", mailNickname="jane")) == ""


@pytest.mark.parametrize(
    "template", ["%m", "@corp.test", "%m@other.test", "%x@corp.test", "a b@corp.test", "%@corp.test"]
)
def test_what_is_no_template(template: str) -> None:
    with pytest.raises(PolicyError):
        ap.check_template(template, ["corp.test"])


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_a_person_is_called_it_is_one_local_part(given_name: str, surname: str) -> None:
    made = ap.expand("%g.%s@corp.test", person(givenName=given_name, sn=surname, mailNickname="x"))
    local, _, domain = made.rpartition("@")
    assert made == "" or (
        domain == "corp.test" and local and "@" not in local and " " not in local and ".." not in local
    )


def test_filters() -> None:
    assert ap.filter_of("department=Sales, company=Corp (UK)") == "(&(department=Sales)(company=Corp \\28UK\\29))"
    assert ap.filter_of("department=Sa*") == "(department=Sa*)"
    assert ap.filter_of("(&(a=b)(c=d))") == "(&(a=b)(c=d))"
    for wrong in ("", "(a=b", "department", "a=b,"):
        with pytest.raises(PolicyError):
            ap.filter_of(wrong)


def test_a_policy_comes_back_from_its_entry() -> None:
    one = AddressPolicy("Sales", 20, "(department=Sales)", ("%g.%s@corp.test", "%m@corp.test"))
    assert ap.policy({"cn": [b"Sales"], **ap.attributes(one)}) == one
    assert (
        ap.by_name([{"cn": [b"b"], "msExchPolicyOrder": [b"2"]}, {"cn": [b"a"], "msExchPolicyOrder": [b"9"]}])[0].name
        == "b"
    )


def test_an_address_that_others_have_gets_a_number() -> None:
    others = {"jane@corp.test", "jane2@corp.test"}
    assert ap.wanted_addresses(POLICY, JANE, others.__contains__) == ["jane3@corp.test"]
    mine = JANE | person(proxyAddresses=["SMTP:jane2@corp.test"])
    assert ap.wanted_addresses(POLICY, mine, {"jane@corp.test"}.__contains__) == ["jane2@corp.test"]


def applied(values: dict[str, list[bytes]], changes: list[ap.Change]) -> dict[str, list[bytes]]:
    after = dict(values)
    for _, name, new in changes:
        if new is None:
            after.pop(name, None)
        else:
            after[name] = new
    return after


def test_the_first_update_gives_all_and_the_second_nothing() -> None:
    lists = [f"CN=All Users,{OURS}"]
    changes = ap.changes(JANE, POLICY, ["jane@corp.test"], lists, OURS)
    after = applied(JANE, changes)
    assert after["proxyAddresses"] == [b"SMTP:jane@corp.test"] and after["mail"] == [b"jane@corp.test"]
    assert after["showInAddressBook"] == [name.encode() for name in lists]
    assert after["legacyExchangeDN"][0].endswith(b"-jane") and after["displayName"] == [b"Jane Smith"]
    assert ap.changes(after, POLICY, ["jane@corp.test"], lists, OURS) == []


def test_the_former_primary_stays_an_address() -> None:
    values = JANE | person(proxyAddresses=["smtp:j@corp.test", "SMTP:Old@corp.test", "X400:c=us", "sip:jane@corp.test"])
    after = applied(values, ap.changes(values, POLICY, ["jane@corp.test"], (), OURS))
    assert set(after["proxyAddresses"]) == {
        *(b"SMTP:jane@corp.test", b"smtp:Old@corp.test", b"smtp:j@corp.test", b"X400:c=us", b"sip:jane@corp.test")
    }


def test_who_is_excluded_keeps_the_primary() -> None:
    values = JANE | person(proxyAddresses=["SMTP:boss@corp.test"], msExchPoliciesExcluded=EXCLUDED.lower())
    names = {name for _, name, _ in ap.changes(values, POLICY, ["jane@corp.test"], (), OURS)}
    assert names == {"mail", "legacyExchangeDN"}


def test_lists_of_others_are_not_ours_to_change() -> None:
    values = JANE | person(showInAddressBook=["CN=Theirs,CN=Exchange,DC=x", f"CN=Gone,{OURS}"])
    after = applied(values, ap.changes(values, None, (), [f"CN=All Users,{OURS}"], OURS))
    assert set(after["showInAddressBook"]) == {b"CN=Theirs,CN=Exchange,DC=x", f"CN=All Users,{OURS}".encode()}


@given(
    st.lists(st.sampled_from(["a", "b", "C", "jane", "Jane2"]), unique_by=str.lower),
    st.lists(st.sampled_from(["jane@corp.test", "b@corp.test", "new@corp.test"]), min_size=1, unique=True),
)
def test_no_address_is_lost_and_one_is_primary(have: list[str], wanted: list[str]) -> None:
    kept = [f"{'SMTP' if number == 0 else 'smtp'}:{name}@corp.test" for number, name in enumerate(have)]
    values = JANE | (person(proxyAddresses=kept) if kept else {})
    after = applied(values, ap.changes(values, POLICY, wanted, (), OURS))["proxyAddresses"]
    folded = [value.decode().lower() for value in after]
    assert len(set(folded)) == len(folded) and {one.lower() for one in kept} <= set(folded)
    assert [value[5:].decode().lower() for value in after if value.startswith(b"SMTP:")] == [wanted[0]]


def test_a_changed_policy_has_another_mark() -> None:
    assert POLICY.mark == AddressPolicy("Default", 99, POLICY.filter, POLICY.templates).mark
    assert POLICY.mark != AddressPolicy("Default", 10, "(cn=x)", POLICY.templates).mark


def test_numbers_fit_into_a_local_part() -> None:
    address = ap.numbered("x" * 64 + "@corp.test", 12)
    assert address == "x" * 62 + "12@corp.test"
