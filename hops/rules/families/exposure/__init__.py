"""EX: rules for pods that are reachable from outside the cluster."""
