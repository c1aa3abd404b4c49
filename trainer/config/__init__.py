"""What a run can be asked for: every setting, read from TOML and flags, written back as text."""
