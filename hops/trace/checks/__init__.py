"""The checks of the trace: a module per hop."""
