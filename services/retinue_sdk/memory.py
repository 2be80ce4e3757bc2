"""How a process that works on large arrays is to use memory; its environment says so from its start."""

# glibc hands large blocks back when they are freed and takes them anew, page by page, as Arrow's own allocator does: in each
# step of a training on a CPU, and many times in an import. What the operator has set goes before.
# https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html
# NumPy asks for huge pages for large arrays: where memory is in pieces, or a virtual machine has given it back to its host,
# each is searched for and cleared as a whole before its first number is written.
# https://numpy.org/doc/stable/reference/global_state.html
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "NUMPY_MADVISE_HUGEPAGE": "0",
}
