"""Parsers of what a node, Docker and Envoy print."""
