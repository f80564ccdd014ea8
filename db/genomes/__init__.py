"""Genomes in the database: a text is stored whole, or as the difference to the text of another genome.

The text of a policy has every mutation since generation 0, so texts grow with a run, and each is nearly that of its
parent. `difference.py` has the differences themselves and says which ancestor a text is stored as a difference to,
`writing.py` makes rows of texts, `reading.py` texts of rows, `recent.py` remembers texts. Nothing outside of
``germline.db`` sees any of it.
"""
