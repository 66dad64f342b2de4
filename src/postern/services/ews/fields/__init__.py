"""The properties of items by class of item, as Exchange Web Services names them."""
