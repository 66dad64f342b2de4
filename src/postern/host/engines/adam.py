"""The edge's own directory server: a slapd in ADAM's place. It listens on 50636 and 50389 as the rows `edgesync` and `edge-adam`
say, and on a unix socket for the edge's own processes.

Simple binds need TLS or the unix socket; SASL offers the mechanisms of `edge-adam`. `directory.adam.layout` declares the entries.
Accounts expire by themselves: slapd's password policy compares their end (pwdEndTime) with its clock at every bind.
"""

from __future__ import annotations

import re
from pathlib import Path

from postern.directory.adam import layout
from postern.directory.ldap.client import tls_package
from postern.host import certificates, secret_files
from postern.host.engines.slapd import Layout, PrivateSlapd, SlapdEngine, uri
from postern.model.organization import Organization, Server, StateFolder
from postern.model.security import Encryption, Mechanism
from postern.paths.row import End, Wire
from postern.paths.row import Path as Row
from postern.paths.table import settle
from postern.roles.secrets import Secret

_GNUTLS = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA"
_OPENSSL = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The cipher suites of RFC 9325 section 4.2, as in `net.tls`."""

_PLUGINS = ("usr/lib/*-linux-gnu*/sasl2", "usr/lib64/sasl2", "usr/lib/sasl2")

_BEFORE = """\
moduleload ppolicy
localSSF 256
# A password comes inside TLS or over the unix socket only (RFC 4513 section 5.1.3), whatever the port.
security {security}
idletimeout 900
sockbuf_max_incoming 65536
TLSCertificateFile "{chain}"
TLSCertificateKeyFile "{key}"
TLSProtocolMin 3.3
TLSCipherSuite {ciphers}
TLSVerifyClient never
# SASL: this host's own service account alone is somebody; its password is kept as NTLM needs it.
sasl-auxprops slapd
sasl-host {fqdn}
password-hash {{CLEARTEXT}}
authz-regexp "^uid=postern,(cn=[^,]*,)?cn=ntlm,cn=auth$" "{service}"
authz-regexp "^uid=host/{fqdn_pattern},(cn=[^,]*,)?cn=gssapi,cn=auth$" "{service}"
authz-regexp "^gidNumber=[0-9]+\\\\+uidNumber=({uid}|0),cn=peercred,cn=external,cn=auth$" "{service}"
"""

_AFTER = f"""\
index objectClass,posternAddressHash eq
overlay ppolicy
ppolicy_default "{layout.PASSWORD_POLICY}"

access to attrs=userPassword by anonymous auth by * none
access to dn.exact="{layout.SERVICE}" by anonymous auth by * none
# SASL looks its password up, as nobody yet.
access to dn.base="{layout.SERVICE}" attrs=entry,objectClass by anonymous auth by * none
# Whoever replicates writes here, and reads nothing else.
access to dn.subtree="{layout.REPLICATED}"
    by group.exact="{layout.REPLICATORS}" write
    by dn.exact="{layout.SERVICE}" read
    by * none
access to dn.subtree="{layout.REQUESTS}" by group.exact="{layout.REPLICATORS}" =a by * none
access to * by * none
"""


class AdamEngine(SlapdEngine):
    """The edge's directory as one of the host's engines. Its `stop` also loads a renewed certificate, for the supervisor then
    starts slapd again."""

    name = "adam"

    def __init__(self, organization: Organization, server: Server, state: StateFolder) -> None:
        password = secret_files.obtain(state, Secret.ADAM)
        layout = adam_slapd_layout(organization, server, state)
        super().__init__(PrivateSlapd(state.adam, sockets(state), state.logs / "adam.log", password, layout))


def sockets(state: StateFolder) -> Path:
    return state.sockets / "adam"


def socket_uri(state: StateFolder) -> str:
    return uri(sockets(state))


def listeners(organization: Organization, server: Server) -> tuple[str, ...]:
    """The URLs that the settled rows ask for."""
    rows = settle(organization.profile)
    urls: dict[str, None] = {}
    for row in (rows["edgesync"], rows["edge-adam"]):
        for port in row.ports:
            if port.wire is not Wire.TCP or port.number is None:
                continue
            addresses = (server.loopback,) if port.end is End.LOCAL else server.addresses
            scheme = "ldaps" if port.number == 50636 else "ldap"
            for address in addresses:
                host = f"[{address}]" if ":" in address else address
                urls[f"{scheme}://{host}:{organization.port(port.number)}"] = None
    return tuple(urls)


def adam_slapd_layout(organization: Organization, server: Server, state: StateFolder) -> Layout:
    local: Row = settle(organization.profile)["edge-adam"]
    certificate = certificates.place(state)
    keytab = Path(organization.keytab) if organization.keytab else state.keytab
    # A mechanism is offered if its plugin is found, so this folder has the row's plugins and no others. EXTERNAL needs none.
    # (SASL's own slapd.conf would do as well, but Debian's slapd looks for it in folders of the whole machine only.)
    folder, plugins = _plugins(), []
    if Mechanism.NTLM in local.supported_auth:
        plugins.append("libntlm.so")
    if Mechanism.KERBEROS in local.supported_auth and keytab.exists():
        plugins.append("libgssapiv2.so")
    before = _BEFORE.format(
        security="ssf=128 simple_bind=128" if local.encryption is Encryption.REQUIRED else "simple_bind=128",
        chain=certificate.chain,
        key=certificate.key,
        ciphers=_GNUTLS if tls_package() == "GnuTLS" else _OPENSSL,
        fqdn=server.fqdn,
        fqdn_pattern=re.escape(server.fqdn).replace("\\", "\\\\"),
        service=layout.SERVICE,
        uid=state.root.stat().st_uid,
    )
    return Layout(
        schema="adam.schema",
        suffix=layout.SUFFIX,
        administrator=layout.ADMINISTRATOR,
        before=before,
        after=_AFTER,
        links={f"sasl/{plugin}": folder / plugin for plugin in plugins if (folder / plugin).exists()},
        listeners=listeners(organization, server),
        environment={
            "SASL_PATH": str(state.adam / "sasl"),
            **({"KRB5_KTNAME": str(keytab)} if keytab.exists() else {}),
        },
    )


def _plugins() -> Path:
    """The folder of Cyrus SASL's plugins on this machine; a usual path if there is none."""
    return next((folder for pattern in _PLUGINS for folder in sorted(Path("/").glob(pattern))), Path("/usr/lib/sasl2"))
