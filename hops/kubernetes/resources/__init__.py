"""The typed readers, one module for each kind of object."""
