"""Storage of runs in a database: schema, store, lineage queries and migrations. Genomes are stored as text."""
