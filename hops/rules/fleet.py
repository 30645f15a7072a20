"""XS: what stacks of one machine take from each other."""
