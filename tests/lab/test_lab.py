"""The whole lab: it comes up without a dropped packet, its matrix holds, and it notices what is changed in it.

covers: client, controllers, entrance, firewalls, internet, proof, samba_domain, servers, status
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from postern.lab.matrix import Cell, State
from postern.lab.plan import ADMIN_PASSWORD, MACHINES, PASSWORD
from postern.lab.proof import Drops, Proof
from tests.lab.live import Lab, eventually, with_namespaces, with_servers

pytestmark = [pytest.mark.root, pytest.mark.slow, with_namespaces, with_servers]

KINIT = f"echo {PASSWORD} | kinit alice >/dev/null"


@contextmanager
def reloaded(lab: Lab, *hosts: str) -> Iterator[None]:
    """Whatever is done to these servers' firewalls meanwhile, their own rulesets hold again afterwards."""
    try:
        yield
    finally:
        for host in hosts:
            lab.shell(host, "sh", "-c", f"postern paths firewall --host {host} | nft -f -")


def newest(lab: Lab, person: str) -> str:
    return lab.shell(
        "client1",
        *("curl", "-sS", "--login-options", "AUTH=PLAIN", "--user", f"{person}@corp.test:{PASSWORD}"),
        "imaps://cas1.corp.test/INBOX;MAILINDEX=*",
        check=False,
    )


def test_it_came_up_behind_its_firewalls_and_nothing_was_dropped(lab: Lab) -> None:
    assert set(lab.at_first) == {one.name for one in MACHINES}
    for host in lab.at_first.values():
        assert host["running"], host["name"]
        assert host["firewall"], host["name"]
        assert set(host["lost"].values()) == {0}, (host["name"], host["lost"])
    assert "TCP 993" in lab.at_first["cas1"]["doors"]
    assert "TCP 3268" in lab.at_first["dc2"]["doors"]


def test_each_path_passes_from_the_right_hosts_and_fails_from_all_others(lab: Lab) -> None:
    found = lab.verify()
    wrong = {
        (row, host): cell
        for row, cells in found["cells"].items()
        for host, cell in cells.items()
        if cell["state"] in ("fails", "leaks")
    }
    assert wrong == {}
    assert found["holds"], found["drops"]
    assert found["seconds"] < 60
    assert found["cells"]["imap4"]["client1"]["state"] == "passes"
    assert found["cells"]["hub-to-hub"]["client1"] == {
        "state": "open for another row",
        "because": ["client-to-hub-smtp"],
    }


def test_each_row_is_proven_in_full_by_its_rightful_callers_and_every_drop_is_explained(lab: Lab) -> None:
    found = lab.verify(whole=True)
    assert found["holds"], (found["drops"], found["troubles"], found["unproven"], failures(found))
    proven = {(row, host) for row, cells in found["cells"].items() for host in cells if is_proven(cells[host])}
    assert proven >= {
        *(("hub-to-hub", "hub1"), ("hub-to-hub", "hub2"), ("hub-to-edge", "hub1"), ("edge-to-hub", "edge1")),
        *(("edgesync", "hub1"), ("cas-to-mailbox", "cas1"), ("mailbox-to-ad", "mbx1"), ("client-access-to-ad", "cas1")),
        *(("imap4", "client1"), ("pop3", "client1"), ("client-to-hub-smtp", "client1"), ("edge-to-edge", "internet1")),
        *(("postgresql", "mbx1"), ("postgresql", "mbx2"), ("edge-adam", "edge1"), ("availability", "client1")),
        *(("availability-to-mailbox", "cas1"), ("availability-to-mailbox", "cas2"), ("cas-to-mailbox", "cas2")),
    }
    assert found["cells"]["hub-to-hub"]["client1"]["state"].endswith("this row's authentication refuses")
    assert ("hub-to-edge", "hub2") not in proven  # served by the hubs of another site
    assert set(found["servers"]) == {"hub1", "hub2", "mbx1", "cas1", "mbx2", "cas2", "edge1"}


def is_proven(cell: dict[str, str]) -> bool:
    return cell["state"] == "proven"


def failures(found: dict[str, Any]) -> list[Any]:
    return [one for one in found["dialled"] if one["verdict"] == "fail"]


def test_a_door_that_opens_and_serves_nobody_is_no_proof(lab: Lab) -> None:
    """Each connection comes about, so that a knock is content; with its first word it is reset."""
    with reloaded(lab, "cas1"):
        lab.shell(
            "cas1", "nft", "insert rule inet postern input tcp dport 143 ct state established reject with tcp reset"
        )
        knocked = lab.verify("--path", "imap4")
        found = lab.verify("--path", "imap4", whole=True)
    assert knocked["cells"]["imap4"]["client1"]["state"] == "passes"
    for host in ("client1", "cas1"):
        assert found["cells"]["imap4"][host]["state"] == "fails", host
    assert "a log-on with Kerberos over TLS: curl:" in found["cells"]["imap4"]["client1"]["because"][0]
    assert not found["holds"]
    assert "imap4" not in found["proven"]


def test_a_rule_that_is_gone_is_noticed(lab: Lab) -> None:
    with reloaded(lab, "cas1"):
        lab.shell("cas1", "nft", "insert rule inet postern input tcp dport 993 drop")
        found = lab.verify("--path", "imap4")
    assert found["cells"]["imap4"]["client1"]["state"] == "fails"
    assert "cas1 TCP 993" in found["cells"]["imap4"]["client1"]["because"][0]
    assert not found["holds"]
    # What knocked while the rule was another may still be sent once more, and dropped.
    eventually("it holds again", lambda: lab.verify("--path", "imap4")["holds"], 30)


def test_a_rule_too_many_is_noticed(lab: Lab) -> None:
    with reloaded(lab, "cas1", "mbx1"):
        lab.shell("cas1", "nft", "insert rule inet postern input tcp dport 993 accept")
        lab.shell("mbx1", "nft", "insert rule inet postern output tcp dport 993 accept")
        found = lab.verify("--path", "imap4")
    assert found["cells"]["imap4"]["mbx1"] == {"state": "leaks", "because": ["cas1 TCP 993"]}
    # What knocked while the rule was another may still be sent once more, and dropped.
    eventually("it holds again", lambda: lab.verify("--path", "imap4")["holds"], 30)


def test_mail_from_the_internet_and_back(lab: Lab) -> None:
    lab.shell(
        "internet1",
        *("swaks", "--server", "127.0.0.1", "--from", "erin@other.test", "--to", "alice@corp.test"),
        *("--h-Subject", "from outside"),
    )
    eventually("alice has it", lambda: "from outside" in newest(lab, "alice"), 30)
    lab.shell(
        "client1",
        *("swaks", "--server", "hub1.corp.test:587", "-tls", "--auth", "PLAIN", "--auth-user", "bob@corp.test"),
        *("--auth-password", PASSWORD, "--from", "bob@corp.test", "--to", "frank@other.test"),
        *("--h-Subject", "from inside"),
    )
    arrived = lab.folder / "hosts/internet1/mail/frank/new"
    eventually("frank has it", lambda: arrived.exists() and any(arrived.iterdir()), 30)
    text = next(arrived.iterdir()).read_text()
    assert "Subject: from inside" in text
    assert "from edge1.corp.test" in text


def test_a_ticket_is_enough_to_log_on(lab: Lab) -> None:
    said = lab.shell(
        "client1",
        "sh",
        "-c",
        f"{KINIT}; printf 'Subject: by ticket\\n\\nhello\\n' | msmtp carol@corp.test && "
        "curl -sS --negotiate --login-options AUTH=GSSAPI --user alice@corp.test: "
        "imaps://cas1.corp.test/INBOX -X 'STATUS INBOX (MESSAGES)'",
    )
    assert "* STATUS" in said
    eventually("carol has it", lambda: "by ticket" in newest(lab, "carol"), 30)


def test_what_is_written_to_one_controller_is_soon_at_the_other(lab: Lab) -> None:
    for here, there in (("dc1", "10.77.4.10"), ("dc2", "10.77.1.10")):
        name = f"new-at-{here}"
        lab.shell(here, "samba-tool", "contact", "create", name)
        search = ["ldbsearch", "-H", f"ldap://{there}", "-U", f"Administrator%{ADMIN_PASSWORD}", f"(cn={name})", "cn"]

        def replicated(search: list[str] = search, name: str = name) -> bool:
            return f"cn: {name}" in lab.shell("hub1", *search, check=False)

        eventually(f"{name} at {there}", replicated, 60)
        lab.shell(here, "samba-tool", "contact", "delete", name)


def test_a_shell_has_the_host_s_postern_and_passes_on_how_it_ended(lab: Lab) -> None:
    assert lab.shell("mbx1", "postern", "user", "list", "--json").count("@corp.test") >= 4
    assert lab.command("shell", "mbx1", "sh", "-c", "exit 7", check=False).returncode == 7
    assert lab.shell("edge1", "sh", "-c", "echo $POSTERN_STATE") == f"{lab.folder}/hosts/edge1/state\n"
    refused = lab.command("shell", "mbx9", "true", check=False)
    assert refused.returncode == 67  # EX_NOUSER
    assert 'no host of the lab is called "mbx9"' in refused.stderr


def test_a_capture_has_the_path_s_packets_and_no_word_of_the_mail(lab: Lab, tmp_path: Path) -> None:
    output = tmp_path / "imap4.pcap"
    taking = lab.start("capture", "imap4", "--output", str(output))
    try:
        assert taking.stderr is not None
        assert "Listening on cas1" in taking.stderr.readline()
        secret = "carried by the capture test"
        append = (
            f"curl -sS --login-options AUTH=PLAIN -T m --user dave@corp.test:{PASSWORD} imaps://cas1.corp.test/INBOX"
        )
        append = f"printf 'Subject: s\\n\\n{secret}\\n' >m; {append}"
        lab.shell("client1", "sh", "-c", append)
        taking.send_signal(signal.SIGINT)
        said, _ = taking.communicate(timeout=30)
    finally:
        taking.kill()
        taking.communicate()
    assert "packets of imap4" in said
    data = output.read_bytes()
    assert len(data) > 3000
    assert secret.encode() not in data
    assert PASSWORD.encode() not in data
    seen = subprocess.run(["tcpdump", "-nr", str(output)], capture_output=True, text=True, check=True).stdout
    assert all("10.77.1.40.993" in line for line in seen.splitlines())


def test_drops_are_explained_by_knocks_and_by_late_ones_only() -> None:
    assert Drops(due=3, late=0, seen=3).explained
    assert Drops(due=3, late=1, seen=4).explained
    assert not Drops(due=3, late=0, seen=4).explained
    assert not Drops(due=3, late=0, seen=2).explained


def test_one_wrong_cell_or_one_unexplained_packet_is_enough() -> None:
    right = {"imap4": {"client1": Cell(State.PASSES)}}
    assert Proof(right, {"cas1": Drops(0, 0, 0)}, 1, 0.1).holds
    assert not Proof(right, {"cas1": Drops(0, 0, 1)}, 1, 0.1).holds
    assert not Proof({"imap4": {"client1": Cell(State.LEAKS)}}, {"cas1": Drops(0, 0, 0)}, 1, 0.1).holds
