"""Stacks: their configuration, this machine, and the wiring of the components."""
