"""The symbolic graph: tensors, sizes, operations.  No arrays are computed here and no kernel is known."""
