"""Train language models on Parquet text, with every training token traceable to its source.

The package reads Parquet (a corpus build folder, a folder, a glob) and imports neither `corpus`
nor `filters`: any Parquet with a `text` column will do.
"""
