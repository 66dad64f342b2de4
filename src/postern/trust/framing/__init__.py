"""The ways in which protocols carry an exchange of authentication: SASL (SMTP, IMAP, POP3), RPC and HTTP. Each module maps the
names of its protocol to mechanisms."""
