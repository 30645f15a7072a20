"""Rules for declared objects; each family is a module or a folder."""
