"""Makes the tables. It can run any number of times."""

from shop.database import connect

with connect() as database:
    database.run("CREATE TABLE IF NOT EXISTS visits (at timestamptz NOT NULL DEFAULT now())")
print("the table visits is there")  # noqa: T201 - the log of the migration
