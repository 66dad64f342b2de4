"""The ports of the rows by name, as the reference's "required ports" cells group them.

A door opens on, and a dial goes to, one of these values: `row.port(25)`, `row.port("rpc")`.
"""

from __future__ import annotations

from postern.paths.row import End, Port, Tls, Wire

SMTP = (Port(25, tls=Tls.UPGRADE),)
SMTP_SSL = SMTP
"""The reference writes um-submission's port as "25/TCP (SSL)"; nothing speaks TLS on 25 before STARTTLS."""
SUBMISSION = (Port(25, tls=Tls.UPGRADE), Port(587, tls=Tls.UPGRADE))
EDGE_TO_EDGE = (
    Port(25, tls=Tls.UPGRADE, end=End.BOTH),
    Port(389, label="revocation", end=End.CALLER),
    Port(389, Wire.UDP, label="revocation", end=End.CALLER),
    Port(80, label="revocation", end=End.CALLER),
)
RPC = (Port(135, label="epm"), Port(None, label="rpc"))
"""The endpoint mapper, and the port of the dynamic range that it answers with."""
LOCAL_RPC = (Port(135, label="epm", end=End.LOCAL), Port(None, label="rpc", end=End.LOCAL))
NCALRPC = Port(None, Wire.UNIX, label="ncalrpc")
EDGESYNC = (Port(50636, tls=Tls.IMPLICIT), Port(50389))
ADAM = (Port(50389, end=End.LOCAL),)
AD = (
    Port(389, label="ldap"),
    Port(389, Wire.UDP, label="ldap"),
    Port(3268, label="global catalogue"),
    Port(88, label="kerberos"),
    Port(88, Wire.UDP, label="kerberos"),
    Port(53, label="dns"),
    Port(53, Wire.UDP, label="dns"),
    Port(135, label="epm"),
    Port(None, label="rpc"),
)
KERBEROS = (Port(88, label="kerberos"), Port(88, Wire.UDP, label="kerberos"))
CLIENT_OF_DOMAIN = (*KERBEROS, Port(53, label="dns"), Port(53, Wire.UDP, label="dns"))
SETUP_AD = (Port(389, label="ldap"), Port(389, Wire.UDP, label="ldap"), *CLIENT_OF_DOMAIN)
CONTROLLERS = (
    *AD,
    Port(445, label="smb"),
    Port(464, label="kpasswd"),
    Port(464, Wire.UDP, label="kpasswd"),
)
SMB = (Port(445),)
LOCAL_SMB = (Port(445, end=End.LOCAL),)
RANDOM = (Port(None, label="random"),)
HEARTBEAT = (Port(3343, Wire.UDP, label="heartbeat", end=End.BOTH),)
CLUSTER = (Port(135, label="epm"), *HEARTBEAT, Port(None, label="rpc"))
WEB = (Port(80), Port(443, tls=Tls.IMPLICIT))
HTTPS = (Port(443, tls=Tls.IMPLICIT),)
POP3 = (Port(110, tls=Tls.UPGRADE), Port(995, tls=Tls.IMPLICIT))
IMAP4 = (Port(143, tls=Tls.UPGRADE), Port(993, tls=Tls.IMPLICIT))
SIP = (Port(5060), Port(5061, tls=Tls.IMPLICIT), Port(5062), Port(None, label="sip worker"))
SIP_BOTH = (
    Port(5060, end=End.BOTH),
    Port(5061, tls=Tls.IMPLICIT, end=End.BOTH),
    Port(5062),
    Port(None, label="sip worker"),
)
SIP_WORKERS = (
    Port(5065, label="worker"),
    Port(5066, tls=Tls.IMPLICIT, label="worker"),
    Port(5067, label="worker"),
    Port(5068, tls=Tls.IMPLICIT, label="worker"),
)
RTP = (Port(None, Wire.UDP, label="rtp", end=End.BOTH),)
OPEN_PROXIES = (
    Port(1080, label="socks"),
    Port(1081, label="socks"),
    Port(23, label="wingate"),
    Port(6588, label="http"),
    Port(3128, label="http"),
    Port(80, label="http"),
)
DNS = (Port(53, Wire.UDP), Port(53, Wire.TCP))
LDAPI = Port(None, Wire.UNIX, label="ldapi")
LDAP = (LDAPI, Port(389, tls=Tls.UPGRADE), Port(636, tls=Tls.IMPLICIT))
POSTGRESQL = (Port(None, Wire.UNIX, label="postgresql"), Port(5432, tls=Tls.UPGRADE))
REPLICATION = (Port(5432, tls=Tls.UPGRADE),)
METRICS = (Port(9464),)
CHALLENGE = (Port(80),)
SSH = (Port(22),)
NTP = (Port(123, Wire.UDP),)
DHCP = (
    Port(67, Wire.UDP, label="dhcp"),
    Port(68, Wire.UDP, label="dhcp", end=End.CALLER),
    Port(547, Wire.UDP, label="dhcpv6"),
    Port(546, Wire.UDP, label="dhcpv6", end=End.CALLER),
)
NEIGHBOURS = (Port(None, Wire.ICMP, end=End.BOTH),)
