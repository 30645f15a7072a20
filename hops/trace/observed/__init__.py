"""What one look at a running path has seen, as plain values."""
