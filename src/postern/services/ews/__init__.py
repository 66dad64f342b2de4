"""Exchange Web Services (MS-OXWS*) on the row `availability`."""
