"""What a log puts its name to things with: its origin, its keys and the checkpoints that were signed, on the disk."""
