"""Traces as records, their steps and their reflection keywords.

Only plain functions of text enter this room: no configs, no models.
"""
