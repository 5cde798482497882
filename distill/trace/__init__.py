"""What a trace is: records, steps, reflection keywords.

Pure text handling, without configs or models.
"""
