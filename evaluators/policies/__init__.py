"""Playing episodes with policies: many at once, each with its own weights."""
