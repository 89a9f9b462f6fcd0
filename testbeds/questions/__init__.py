"""Questions about drawn scenes, and the networks that answer them."""

from .answerer import Answerer, answerer
from .networks import vqa, vqa_quick, vqa_v1
from .pictures import records

__all__ = ["Answerer", "answerer", "records", "vqa", "vqa_quick", "vqa_v1"]
