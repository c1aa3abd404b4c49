"""Parts of `make_sample.py`, which writes tests/data."""
