"""The same clusters by units of work, on the machines of a cluster."""
