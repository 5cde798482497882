"""A sandbox for programs written by models: Bubblewrap, a filter of system calls, and limits."""
