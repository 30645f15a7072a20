"""IN: what an Ingress or HTTPProxy leads to."""
