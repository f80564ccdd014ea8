"""How genomes of each kind look on a terminal: one file a kind, and the table of them."""
