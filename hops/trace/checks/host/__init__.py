"""Checks of the machine and of hops 1 and 2: name and port mapping."""
