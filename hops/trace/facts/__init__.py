"""Facts about the followed path, derived from what was observed."""
