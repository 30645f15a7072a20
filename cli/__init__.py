"""The command `hops`."""
