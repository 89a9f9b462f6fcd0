"""Operators are registered once per process: by `lib` at its import, or as the test says."""

import subprocess
import sys

import torch
import torchvision

from lib.paths import ROOT
from lib.torchvision_ops import declare_missing

# The module alone: lib/__init__.py has not called it.
ALONE = """
import sys, types, torch
sys.modules["lib"] = lib = types.ModuleType("lib"); lib.__path__ = ["lib"]
from lib.torchvision_ops import declare_missing
there = lambda: hasattr(torch.ops.torchvision, "nms")

theirs = torch.library.Library("torchvision", "DEF")
theirs.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
theirs.impl("nms", lambda d, s, t: torch.tensor([7]), "CPU")
print(declare_missing(), torch.ops.torchvision.nms(torch.rand(1, 4), torch.rand(1), 0.5).item())
del theirs
print(there(), declare_missing(), declare_missing(), there())
"""


def test_leaves_an_operator_that_exists_alone_and_declares_what_is_missing_once():
    command = [sys.executable, "-c", ALONE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    beside_theirs, after = done.stdout.splitlines()
    assert beside_theirs == "False 7"
    # The second word is "False" if torchvision's own extension loads.
    assert after in ("False True False True", "False False False True")


def test_torchvision_works_after_lib_and_no_kernel_is_made_up():
    """Networks run, and non-maximum suppression is the real one or raises an error."""
    assert not declare_missing()
    assert torchvision.models.alexnet().eval()(torch.rand(1, 3, 64, 64)).shape == (1, 1000)
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [5, 5, 6, 6]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    try:
        kept = torchvision.ops.nms(boxes, scores, 0.5).tolist()
    except RuntimeError as error:
        assert "custom C++ ops" in str(error)
    else:
        assert kept == [0, 2]
