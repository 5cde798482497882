"""Traces as records, their steps and keywords. Plain functions of text: no configs or models."""
