"""`hops up`, `hops preview` and `hops down`."""
