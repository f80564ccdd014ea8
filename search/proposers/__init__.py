"""Operators from outside: functions and services that propose genomes as text, how they are named, asked and kept."""
