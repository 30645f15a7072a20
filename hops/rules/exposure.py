"""EX: what a pod behind an Ingress gives away."""
