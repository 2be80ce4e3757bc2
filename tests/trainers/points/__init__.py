"""A whole trainer in three small files: it "trains" by counting points. Used by the tests, and as the example in the docs."""
