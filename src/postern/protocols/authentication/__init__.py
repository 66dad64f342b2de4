"""What a message's senders prove by DNS and signatures: SPF, Sender ID, DKIM, DMARC, and the field that tells the results."""
