"""Stands here so that the modules beside it (hostile.py, oracle.py) can be imported by every test."""
