"""Clusters on one machine, from the signatures of all documents."""
