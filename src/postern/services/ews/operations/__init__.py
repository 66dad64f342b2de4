"""The operations of Exchange Web Services, one module each."""
