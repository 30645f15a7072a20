"""What runs in a cluster: its API, its objects, its nodes and Envoy."""
