"""Web archives as found in the wild: WARC, WET and ARC, split and resynchronised."""
