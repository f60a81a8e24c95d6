"""Turns a model that somebody found into an IR with a recipe, and proves that both answer alike.

``job.convert`` is the whole way. ``readers`` know file formats, ``rewrites`` replace operators that OpenVINO does not
know, ``prove`` compares with the source's own runtime, ``folder`` writes the result.
"""
