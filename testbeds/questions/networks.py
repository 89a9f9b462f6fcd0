"""Networks that answer questions about drawn scenes and about the photographs of VQA v1."""

from lib.nets.weights import IMAGENET_MEAN, IMAGENET_STD

from ..recipe import Recipe, quick
from .architecture import antol, of_questions, of_questions_at_large, small

vqa = Recipe(
    name="scenes_vqa",
    build=small,
    arguments=of_questions,
    dataset="scene_questions",
    floor=0.85,
    epochs=8,
    batch_size=32,
    input_size=64,
    questions=True,
    learning_rate=3e-3,
    weight_decay=0.01,
)

# Antol et al. report 57.8 % on open-ended questions, by a measure that also gives partial credit.
vqa_v1 = Recipe(
    name="vqa_v1",
    build=antol,
    arguments=of_questions_at_large,
    dataset="vqa",
    floor=0.4,
    epochs=20,
    batch_size=256,
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    splits=("train", "val"),
    questions=True,
    pretrained=(("backbone", "torchvision:vgg19"),),
    frozen=("backbone",),
    in_memory=False,
    learning_rate=5e-4,
)

vqa_quick = quick(vqa)
