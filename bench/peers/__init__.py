"""Other ways to keep a trail, measured beside Indelible in one run: `make bench-peers`."""
