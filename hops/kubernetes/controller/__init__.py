"""Contour: its installation, its ingress classes, its annotations, and the Secrets that it can use. Pure."""
