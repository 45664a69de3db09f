"""The command line: one thin module a command; the logic is in the packages below."""
