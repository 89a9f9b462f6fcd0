"""VQA v1, open-ended questions about real images (COCO 2014): one sample per question.

The classes are the 1,000 most frequent answers to the training questions, as in Antol et al. A
question with another answer has no class to explain and is left out.
"""

from collections import Counter
from pathlib import Path

from .. import manifests
from .files import check_complete, present, read_json, reading
from .image_file import ImageFile, Images, by_class

N_ANSWERS = 1000


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The questions of a split, sorted by answer and then by question id."""
    answers = _frequent_answers(_annotations(entry, root, "train"))
    indices = {answer: i for i, answer in enumerate(answers)}
    path = _annotations(entry, root, split)
    questions = _questions(entry, root, split)
    images = present(
        entry, *(root / place / f"{split}2014" for place in (".", "Images", "Images/mscoco"))
    )
    with reading(path):
        samples = [
            _sample(asked, images, indices, questions)
            for asked in read_json(path, leave_out="answers")["annotations"]
            if asked["multiple_choice_answer"] in indices
        ]
    check_complete(entry, (sample.path for sample in samples))
    return by_class(samples), answers


def _sample(
    asked: dict, images: Path, indices: dict[str, int], questions: dict[int, str]
) -> ImageFile:
    image = f"COCO_{images.name}_{asked['image_id']:012d}"
    return ImageFile(
        images / f"{image}.jpg",
        str(asked["question_id"]),
        indices[asked["multiple_choice_answer"]],
        group=image,
        question=questions[asked["question_id"]],
    )


def _annotations(entry: manifests.Entry, root: Path, split: str) -> Path:
    name = f"mscoco_{split}2014_annotations.json"
    why = f"the classes are the {N_ANSWERS:,} most frequent answers to the training questions"
    return present(
        entry, root / name, root / "Annotations" / name, why=why if split == "train" else ""
    )


def _questions(entry: manifests.Entry, root: Path, split: str) -> dict[int, str]:
    """The questions of a split by id, in lower case."""
    name = f"OpenEnded_mscoco_{split}2014_questions.json"
    path = present(entry, root / name, root / "Questions" / name)
    with reading(path):
        questions = read_json(path)["questions"]
        return {asked["question_id"]: asked["question"].lower() for asked in questions}


def _frequent_answers(path: Path) -> tuple[str, ...]:
    """The most frequent answers of an annotation file, ties in alphabetical order."""
    with reading(path):
        annotations = read_json(path, leave_out="answers")["annotations"]
        counts = Counter(asked["multiple_choice_answer"] for asked in annotations)
    return tuple(sorted(counts, key=lambda answer: (-counts[answer], answer))[:N_ANSWERS])
