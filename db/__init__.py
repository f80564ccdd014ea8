"""The memory of runs: schema, store, lineage queries and migrations. Genomes reach it as text."""
