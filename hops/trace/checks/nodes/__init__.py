"""Checks of the nodes and of hops 3 and 6: host port and endpoint."""
