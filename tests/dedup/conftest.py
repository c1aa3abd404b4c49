"""Hypothesis without a deadline: the first example of a kernel pays for its compilation."""

from hypothesis import settings

settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")
