"""Tuned baselines of all tasks as a table of the package (`baselines.jsonl`), and any optimizer's place among them."""
