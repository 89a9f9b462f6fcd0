"""Shared by all tests."""

import lib  # noqa: F401  before anything imports torchvision: see lib/torchvision_ops.py
