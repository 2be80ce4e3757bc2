"""How a process that works on large arrays is to use memory; its environment says so from its start."""

# glibc hands large blocks back when they are freed and takes them anew, page by page, as Arrow's own allocator does: in each
# step of a training on a CPU, and many times in an import. What the operator has set goes before.
# https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
