"""What is evolved: genomes, their language, variation, canonical form and export.

Pure: no I/O beyond package data and exported files.
"""
