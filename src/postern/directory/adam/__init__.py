"""An edge's own directory, in ADAM's place: the adapter, its accounts, and what hubs replicate into it."""
