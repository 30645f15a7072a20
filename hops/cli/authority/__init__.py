"""`hops ca`, and the stores of trusted authorities that it changes."""
