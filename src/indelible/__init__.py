"""Indelible keeps the audit trail of a system of microservices: what, when and where, kept so that it can be proven."""

__version__ = "0.1.0"
