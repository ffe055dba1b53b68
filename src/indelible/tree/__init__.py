"""Merkle trees, and how they prove what a log holds: pure, no I/O."""
