"""Changes of meetings in calendars together with the mails that tell others of them, for every protocol."""
