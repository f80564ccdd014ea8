"""How genomes look on a terminal: a file for each kind, and the registry of the presenters."""
