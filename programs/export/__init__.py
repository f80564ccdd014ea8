"""What exports of all kinds share: where a genome comes from, and how a file is written."""
