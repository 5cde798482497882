"""A sandbox for programs written by models: bubblewrap outside, seccomp and limits inside."""
