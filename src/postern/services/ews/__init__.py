"""Exchange Web Services (MS-OXWSCDATA and the documents that it names) on the row `availability`."""
