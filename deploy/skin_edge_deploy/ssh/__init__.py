"""One authenticated connection to a host whose key is known."""
