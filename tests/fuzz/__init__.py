"""Fuzzing of the readers of datasets: `python -m tests.fuzz [READER ...]` sends every format what no tool writes.

Every format that is installed is fuzzed: its seeds are the samples as its own writer writes them, and for formats without
one those in `seeds.MORE`; a format with neither is a failure. A seed's files are changed (`change`), read, and what is read
is looked at (`checks`). `growth` looks for time that grows faster than the data.

A fragment is what a reader judges by itself: a line of labels or of JSON, a row of CSV or parquet, one object in a list of
JSON, one element of XML, a mask, the name of an image. Some files hold hundreds of changed ones and are otherwise right; the
other files are damaged as a whole and count as one fragment.
"""
