"""Checking what a log shows: a server, a data directory, a receipt, a proof, by keys that came from elsewhere."""
