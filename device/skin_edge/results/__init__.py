"""The results log: one SQLite file, the pictures kept beside it, and their export."""
