"""The only sockets. Doors listen and links dial, each for a row of the table; nothing here knows a mail protocol."""
