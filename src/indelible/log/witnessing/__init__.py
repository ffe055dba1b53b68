"""How checkpoints get the cosignatures of witnesses (docs/witnesses.md)."""
