"""Builds the image of a service and loads it into the nodes of its cluster."""
