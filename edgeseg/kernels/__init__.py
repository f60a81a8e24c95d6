"""The few loops that are compiled, and how they are built and found. Without a compiler there are none, and all
works.
"""
