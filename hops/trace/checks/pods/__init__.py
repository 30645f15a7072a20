"""Checks of hops 5 and 7: the Service, the pod and its process."""
