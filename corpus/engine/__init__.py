"""Engines run units of work: `map(function, units)` on this machine (later also on Ray)."""
