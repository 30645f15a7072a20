"""The checks of the trace, in folders along the path."""
