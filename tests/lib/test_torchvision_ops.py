"""Each test has an interpreter of its own: operators are registered once a process."""

import subprocess
import sys

from lib.paths import ROOT

# the module alone, before lib/__init__.py has called it
ALONE = (
    "import sys, types, torch; sys.modules['lib'] = lib = types.ModuleType('lib'); lib.__path__ = ['lib'];"
    "from lib.torchvision_ops import declare_missing;"
)


def run(code: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_declares_once_and_only_what_is_missing():
    done = run(
        ALONE + "print(declare_missing(), declare_missing(), hasattr(torch.ops.torchvision, 'nms'))"
    )
    assert done.returncode == 0, done.stderr
    first, second, there = done.stdout.split()
    assert (second, there) == ("False", "True") and first in ("True", "False")


def test_leaves_an_operator_that_exists_alone():
    done = run(
        "import torch; l = torch.library.Library('torchvision', 'DEF');"
        "l.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor');"
        "l.impl('nms', lambda d, s, t: torch.tensor([7]), 'CPU');"
        + ALONE
        + "print(declare_missing(), torch.ops.torchvision.nms(torch.rand(1, 4), torch.rand(1), 0.5))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False tensor([7])"


def test_torchvision_works_after_lib_and_no_kernel_is_made_up():
    """Networks run; non-maximum suppression is the real one, or fails loudly."""
    done = run(
        "import torch, lib, torchvision;"
        "print(torchvision.models.alexnet().eval()(torch.rand(1, 3, 64, 64)).shape);"
        "boxes = torch.tensor([[0., 0, 2, 2], [0, 0, 2, 2], [5, 5, 6, 6]]);"
        "print(torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist())"
    )
    assert "torch.Size([1, 1000])" in done.stdout, done.stderr
    real = done.returncode == 0 and "[0, 2]" in done.stdout
    loud = done.returncode != 0 and "custom C++ ops" in done.stderr
    assert real or loud, done.stdout + done.stderr
