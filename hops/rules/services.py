"""SV: what a Service leads to."""
