"""Whether network policies allow a connection."""
