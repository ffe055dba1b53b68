"""What all tests share. The modules beside it (hostile.py, oracle.py) can be imported by every test because it stands here."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # no test fails because a machine was slow
settings.load_profile("untimed")
