"""How protocols carry an exchange of authentication. Each module maps its own names to mechanisms: SASL (SMTP, IMAP, POP3)."""
