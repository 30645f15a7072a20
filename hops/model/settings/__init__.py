"""The settings of a stack: their types, bounds and defaults, what is wrong with them, and their page."""
