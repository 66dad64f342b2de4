"""Fills a domain that samba-tool has just provisioned with sites, subnets, people and the names of all hosts, and gives a
controller its service names.

It is a program of its own for the system's Python, which has Samba's bindings. It runs on a controller before Samba starts, reads
JSON from its standard input, and writes to the directory's files in one transaction. {} stands for the service names alone.
With {"await": [NAME…], "seconds": N} it writes nothing and waits until this controller knows these service names.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append("/usr/lib/python3/dist-packages")

import ldb
from samba.auth import system_session
from samba.dcerpc import dnsp
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm, setup_dir
from samba.samdb import SamDB
from samba.sites import create_site
from samba.subnets import create_subnet

_PORTS = {"ldap": 389, "gc": 3268, "kerberos": 88, "kpasswd": 464}


def main() -> None:
    wanted = json.load(sys.stdin)
    parameters = LoadParm()
    parameters.load_default()
    directory = SamDB(url=parameters.samdb_url(), session_info=system_session(), lp=parameters)
    if "await" in wanted:
        _await(directory, wanted["await"], time.monotonic() + wanted["seconds"])
        return
    directory.transaction_start()
    _name_services(directory)
    if wanted:
        _fill(directory, wanted)
    directory.transaction_commit()


def _await(directory: Any, names: list[str], deadline: float) -> None:
    missing = list(names)
    while missing := [name for name in missing if not _is_known(directory, name)]:
        if time.monotonic() > deadline:
            sys.exit(f"{directory.get_serverName()} does not know yet: {', '.join(missing)}")
        time.sleep(0.2)


def _is_known(directory: Any, name: str) -> bool:
    base, which = directory.get_default_basedn(), f"(servicePrincipalName={ldb.binary_encode(name)})"
    return bool(directory.search(base, ldb.SCOPE_SUBTREE, which, attrs=["cn"]))


def _fill(directory: Any, wanted: dict[str, Any]) -> None:
    configuration = directory.get_config_basedn()
    for site in wanted["sites"]:
        create_site(directory, configuration, site)
        _link(directory, configuration, site)
    for cidr, site in wanted["subnets"].items():
        create_subnet(directory, configuration, cidr, site)
    for person in wanted["people"]:
        directory.newuser(
            person["name"],
            person["password"],
            givenname=person["given"],
            surname=person["surname"],
            mailaddress=person["mail"],
        )
    for host in wanted["hosts"]:
        _add(directory, host["name"], [_address(host["address"])])
    domain = directory.domain_dns_name()
    for controller in wanted["controllers"]:
        for name in _service_names(controller["site"], domain):
            port = 3268 if ".gc." in name else _PORTS[name.partition(".")[0].lstrip("_")]
            _add(directory, name, [_service(controller["fqdn"], port)])
        for name in (f"gc._msdcs.{domain}", domain):
            _add(directory, name, [_address(controller["address"])])


def _link(directory: Any, configuration: Any, site: str) -> None:
    """Links a site to the others, for without a link no controller of the site replicates with theirs."""
    link = ldb.Message(
        ldb.Dn(directory, f"CN=DEFAULTIPSITELINK,CN=IP,CN=Inter-Site Transports,CN=Sites,{configuration}")
    )
    link["siteList"] = ldb.MessageElement(f"CN={site},CN=Sites,{configuration}", ldb.FLAG_MOD_ADD, "siteList")
    directory.modify(link)


def _name_services(directory: Any) -> None:
    """Writes the service names of this controller, from Samba's own list. Samba itself would write them some seconds after the
    start, too late for clients that ask at once, and for a second controller that copied the directory before."""
    domain = directory.domain_dns_name()
    name = str(directory.get_serverName()).partition(",")[0].partition("=")[2]
    account = directory.search(
        directory.get_default_basedn(), ldb.SCOPE_SUBTREE, f"(sAMAccountName={name}$)", attrs=["servicePrincipalName"]
    )[0]
    values = {
        "${HOSTNAME}": f"{name.lower()}.{domain}",
        "${NETBIOSNAME}": name,
        "${WORKGROUP}": directory.domain_netbios_name(),
        "${DNSDOMAIN}": domain,
        "${DNSFOREST}": domain,
        "${NTDSGUID}": str(directory.get_ntds_GUID()),
    }
    wanted = set()
    for line in (Path(setup_dir()) / "spn_update_list").read_text().splitlines():
        value = line.partition("#")[0].strip()
        for variable, replacement in values.items():
            value = value.replace(variable, replacement)
        wanted |= {value} if value else set()
    present = {str(value).lower() for value in account.get("servicePrincipalName", [])}
    new = sorted(value for value in wanted if value.lower() not in present)
    change = ldb.Message(account.dn)
    change["servicePrincipalName"] = ldb.MessageElement(new, ldb.FLAG_MOD_ADD, "servicePrincipalName")
    directory.modify(change)


def _service_names(site: str, domain: str) -> list[str]:
    """The names under which clients look for a controller, of its site or of any (MS-ADTS 6.3.2.3)."""
    names = []
    for suffix in ("", f".{site}._sites"):
        names += [f"_{service}._tcp{suffix}.{domain}" for service in ("ldap", "kerberos", "gc")]
        names += [f"_{service}._tcp{suffix}.dc._msdcs.{domain}" for service in ("ldap", "kerberos")]
        names += [f"_ldap._tcp{suffix}.gc._msdcs.{domain}"]
    return [*names, f"_kerberos._udp.{domain}", f"_kpasswd._tcp.{domain}", f"_kpasswd._udp.{domain}"]


def _add(directory: Any, name: str, records: list[Any]) -> None:
    """Adds to a name those of the records that it does not have yet."""
    node = _node(directory, name)
    try:
        entry = directory.search(node, ldb.SCOPE_BASE, attrs=["dnsRecord"])[0]
        present = [ndr_unpack(dnsp.DnssrvRpcRecord, value) for value in entry.get("dnsRecord", [])]
    except ldb.LdbError as error:
        if error.args[0] != ldb.ERR_NO_SUCH_OBJECT:
            raise
        directory.add({"dn": node, "objectClass": "dnsNode"})
        present = []
    known = {_key(record) for record in present}
    new = [record for record in records if _key(record) not in known]
    change = ldb.Message(ldb.Dn(directory, node))
    change["dnsRecord"] = ldb.MessageElement(
        [ndr_pack(record) for record in present + new], ldb.FLAG_MOD_REPLACE, "dnsRecord"
    )
    directory.modify(change)


def _node(directory: Any, name: str) -> str:
    """The DN of a name's entry. Names below _msdcs belong to the forest, and have a zone and a partition of their own."""
    base = str(directory.get_default_basedn())
    domain = directory.domain_dns_name()
    partition, zone = "DomainDnsZones", domain
    if name.endswith(f"_msdcs.{domain}"):
        partition, zone = "ForestDnsZones", f"_msdcs.{domain}"
    left = name.removesuffix(zone).rstrip(".") or "@"
    return f"DC={left},DC={zone},CN=MicrosoftDNS,DC={partition},{base}"


def _key(record: Any) -> tuple[Any, ...]:
    if record.wType == dnsp.DNS_TYPE_SRV:
        return (record.wType, record.data.nameTarget.lower(), record.data.wPort)
    return (record.wType, str(record.data))


def _address(text: str) -> Any:
    record = _record(dnsp.DNS_TYPE_A)
    record.data = text
    return record


def _service(target: str, port: int) -> Any:
    record = _record(dnsp.DNS_TYPE_SRV)
    service = dnsp.srv()
    service.wPriority, service.wWeight, service.wPort, service.nameTarget = 0, 100, port, target
    record.data = service
    return record


def _record(kind: int) -> Any:
    record = dnsp.DnssrvRpcRecord()
    record.wType, record.rank, record.dwTtlSeconds = kind, dnsp.DNS_RANK_ZONE, 900
    return record


if __name__ == "__main__":
    main()
