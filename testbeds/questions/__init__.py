"""Questions about drawn scenes, and the networks that answer them."""

from .answerer import Answerer, answerer, answering
from .networks import vqa, vqa_quick, vqa_v1
from .pictures import records

__all__ = ["Answerer", "answerer", "answering", "records", "vqa", "vqa_quick", "vqa_v1"]
