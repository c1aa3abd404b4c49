"""The stages of a build: a file each, and the table that lists them."""
