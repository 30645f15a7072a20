"""Checks of hop 4, the route: Envoy, Contour, TLS and redirects."""
