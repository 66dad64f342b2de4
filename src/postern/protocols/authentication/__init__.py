"""Authentication of a message's senders by DNS and signatures: SPF, Sender ID, DKIM, DMARC, and the field with the results."""
