"""Traces: sampled, read, converted, verified, selected. Whatever makes or picks traces."""
