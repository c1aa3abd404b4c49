"""Sources: which inputs there are, how they are cut into units, and who reads them."""
