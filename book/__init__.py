"""The book: pages written by hand, and the package that makes the others.

What each page runs, what its tables and figures show, and how notebooks become HTML.
"""
