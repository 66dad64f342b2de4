"""SMTP conversations: the receive connector with its session, and the send connector with its dialog."""
