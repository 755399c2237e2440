"""The database of the catalogue: schema, column types, connections, versions."""
