"""The programs that hops runs, and the environment that they run in."""
