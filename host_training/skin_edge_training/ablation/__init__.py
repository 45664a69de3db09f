"""Which choices of an experiment pay: arms, the sweep over them, and the table that decides defaults."""
