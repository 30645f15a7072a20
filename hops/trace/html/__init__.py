"""The path as one HTML page."""
