"""Rules over declared objects: a module per family."""
