"""The dashboard: pages over the store, the data that they show, and the same of a run in a single file."""
