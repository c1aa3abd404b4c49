"""The loops that measure text, one file a theme.

Every kernel reads the same two arrays: `points`, the code points of a slice of documents one
after another (uint32), and `starts`, where each document begins (int64, one more than there are
documents). It fills one row of a float64 matrix a document; the columns are the `SIGNALS` at the
top of its file, written as `row[column.n_lines]`.

`kernel` declares kernels and columns, `characters` names characters, `spec` the types of arrays and
what a signal is; `decode` makes code points of UTF-8; `classes` and `marks` are tables of facts
about code points.
"""
