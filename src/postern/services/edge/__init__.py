"""EdgeSync between hubs and edges: replication, its schedule, the accounts that it uses, and what watches over it."""
