"""A blind survey of people: which of two networks has the better saliency maps?

Opti-CAM's appendix D shows people photographs with the maps of two networks, hides which is which,
and asks for the better network. `make` writes such a form to be printed, with the key to its
answers; `score` counts the answers that people gave.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from PIL import Image

from lib import nets
from lib.checks import check_count
from lib.classes import matched
from lib.data import Dataset
from lib.evaluate import saliency_maps
from lib.saliency import predict, upsample
from lib.statistics import mean_ci

from .report import overlay

NETWORKS = ("tf_efficientnet_lite0", "torchvision:squeezenet1_1")
QUESTION = "Which network is better?"
SIDE = 224  # pixels of every picture, so that its size does not tell the networks apart
KEY = ("question", "image", "A", "B")
ANSWERS = ("participant", "question", "choice")


@dataclass(frozen=True)
class Question:
    """A photograph with two maps of it.

    Attributes:
        image: the photograph's id.
        photograph, maps: pictures (H, W, 3) in [0, 1]; the maps are A and B.
        networks: the names behind A and B.
    """

    image: str
    photograph: np.ndarray
    maps: tuple[np.ndarray, np.ndarray]
    networks: tuple[str, str]


def questions(
    data: Dataset,
    networks: Sequence[str | nets.Classifier] = NETWORKS,
    *,
    n: int = 20,
    seed: int = 0,
    method: str = "opti_cam",
    store: str | Path | None = None,
    **options,
) -> list[Question]:
    """Photographs that both networks classify correctly, each with its two maps in random order.

    Each network is A in half of the questions, so that a preference for one side favours neither.

    Args:
        data: labelled photographs; damaged ones are left out.
        networks: two names for `nets.load`, or two networks.
        n: the largest number of questions; they are drawn at random if more photographs qualify.
        seed: of the choice and order of questions, and of which network is A.
        method, options: of the maps, which are for the true class.
        store: as for `evaluate`, with the same maps.

    Raises:
        ValueError: there are not two networks, or no photograph that both classify correctly.
    """
    check_count("n", n)
    names = [net if isinstance(net, str) else net.name for net in networks]
    if len(set(names)) != 2:
        raise ValueError(f"a survey compares two networks, got {', '.join(names) or 'none'}")
    data = data.readable()
    opened = [nets.load(net) if isinstance(net, str) else net for net in networks]
    right = np.ones(len(data), bool)
    for net in opened:
        right &= [_is_right(net, sample) for sample in matched(data, net).at(net.input_size)]
    known = np.flatnonzero(right)
    if len(known) == 0:
        raise ValueError(f"no image of {data.name} is classified correctly by both networks")
    rng = np.random.default_rng(seed)
    data = data.subset(rng.permutation(known)[:n].tolist())
    maps = []
    for net in opened:
        S = saliency_maps(net, data.at(net.input_size), method, store=store, **options)
        maps.append(upsample(S, (SIDE, SIDE)).numpy())
    swapped = rng.permutation(np.arange(len(data)) % 2 == 1)
    found = []
    for i, (sample, swap) in enumerate(zip(data.at(SIDE), swapped)):
        order = (1, 0) if swap else (0, 1)
        pictures = tuple(overlay(sample.image, maps[k][i]) for k in order)
        picture = sample.image.permute(1, 2, 0).numpy()  # (H, W, 3)
        found.append(Question(sample.id, picture, pictures, tuple(names[k] for k in order)))
    return found


def _is_right(net: nets.Classifier, sample) -> bool:
    return predict(net, sample.image[None].to(net.device)).item() == sample.target


# The form ---------------------------------------------------------------------------------------


def make(found: Sequence[Question], folder: str | Path) -> Path:
    """Write a survey: `form.html`, `key.csv`, and `answers.csv` to be filled in.

    The form is one self-contained page to show or print; it names neither networks nor files. The key
    stays with the person who runs the survey. Existing answers are kept.

    Returns:
        The path of the form.

    Raises:
        ValueError: the folder holds answers to another survey.

    Example:
        >>> make(questions(data.load("imagenet_embedded")), "survey")
    """
    folder = Path(folder)
    key = [(i, q.image, *q.networks) for i, q in enumerate(found, 1)]
    texts = {
        "form.html": form(found),
        "key.csv": pd.DataFrame(key, columns=KEY).to_csv(index=False),
        "answers.csv": ",".join(ANSWERS) + "\n",
    }
    if _filled_in(folder / "answers.csv"):
        if (folder / "key.csv").read_text("utf-8") != texts["key.csv"]:
            raise ValueError(
                f"{folder / 'answers.csv'} holds answers to another survey: choose another folder"
            )
        del texts["answers.csv"]
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "form.html"


def _filled_in(path: Path) -> bool:
    return path.is_file() and len(path.read_text("utf-8").splitlines()) > 1


def form(found: Sequence[Question]) -> str:
    """The survey as one HTML page."""
    body = "\n".join(_block(i, question) for i, question in enumerate(found, 1))
    return _PAGE.format(style=_STYLE, question=QUESTION, n=len(found), body=body)


def _block(number: int, question: Question) -> str:
    pictures = [("Photograph", question.photograph)]
    pictures += [(f"Map {side}", picture) for side, picture in zip("AB", question.maps)]
    figures = "".join(
        f'<figure><img src="{_inline(picture)}" alt="{title} of question {number}" '
        f'width="{SIDE}" height="{SIDE}"><figcaption>{title}</figcaption></figure>'
        for title, picture in pictures
    )
    return (
        f"<section><h2>{number}</h2>{figures}"
        f'<p>{escape(QUESTION)} <span class="box"></span> A <span class="box"></span> B</p></section>'
    )


def _inline(picture: ArrayLike) -> str:
    """A picture as a data URL."""
    buffer = BytesIO()
    pixels = (np.asarray(picture) * 255).round().clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


_STYLE = """
@page {size: A4; margin: 15mm}
body {font: 11pt/1.4 sans-serif; max-width: 180mm; margin: 0 auto; padding: 1em; color: #222;
  background: #fff}
section {break-inside: avoid; border-top: 1px solid #aaa; padding: 3mm 0}
h2 {font-size: 11pt; margin: 0 0 1mm}
figure {display: inline-block; margin: 0 3mm 0 0; width: 31%}
img {width: 100%; height: auto; print-color-adjust: exact; -webkit-print-color-adjust: exact}
figcaption {font-size: 10pt}
.box {display: inline-block; width: 4mm; height: 4mm; border: 1px solid #222; margin: 0 1mm 0 6mm;
  vertical-align: -.5mm}
.line {display: inline-block; width: 60mm; border-bottom: 1px solid #222}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{question}</title>
<style>{style}</style>
</head>
<body>
<h1>{question}</h1>
<p>Two networks, A and B, name what a photograph shows. A map is bright where its network looked.
For each of the {n} photographs, tick the network that you think is better, judging by the maps
alone. Which network is A is drawn at random for every photograph.</p>
<p>Participant <span class="line"></span></p>
{body}
</body>
</html>
"""


# Answers ----------------------------------------------------------------------------------------


def score(answers: str | Path, key: str | Path) -> pd.DataFrame:
    """How often each network was chosen, with 95 % intervals over participants.

    The answers of one participant are not independent, so they count as one draw. A participant who left
    a question open counts with the others.

    Args:
        answers: a CSV file with the columns participant, question and choice (A, B, or empty).
        key: the key of that survey, as `make` wrote it.

    Returns:
        One row per network: network, chosen (how often), answers, participants, share, low, high.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a column is missing, no answer is given, or an answer is to an unknown question, is
            neither A nor B, or is given twice; the message names the line.

    Example:
        >>> score("survey/answers.csv", "survey/key.csv")[["network", "share", "low", "high"]]
    """
    given, known = _read(answers, ANSWERS), _read(key, KEY).set_index("question")
    given["choice"] = given["choice"].str.strip().str.upper()
    given["participant"] = given["participant"].str.strip()
    given = given[given["choice"] != ""]
    _check(given, known, answers)
    chosen = [known.at[row.question, row.choice] for row in given.itertuples()]
    rows = []
    for network in sorted(set(known["A"]) | set(known["B"])):
        hits = np.array([name == network for name in chosen], dtype=float)
        share = mean_ci(hits, given["participant"].to_numpy(), bounds=(0, 1))
        rows.append((network, int(hits.sum()), len(hits), share.n, *share[:3]))
    columns = ["network", "chosen", "answers", "participants", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _read(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """A CSV file as text."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {str(path)!r}: `python -m lib survey make` writes it")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}; its first line is {','.join(columns)}"
        )
    table["question"] = table["question"].str.strip()
    return table


def _check(given: pd.DataFrame, known: pd.DataFrame, path: str | Path) -> None:
    wrong = {
        "an unknown question": ~given["question"].isin(known.index),
        "a choice that is neither A nor B": ~given["choice"].isin(["A", "B"]),
        "no participant": given["participant"] == "",
        "an answer that was given before": given.duplicated(["participant", "question"]),
    }
    for what, where in wrong.items():
        if where.any():
            row = given[where].iloc[0]
            line = row.name + 2  # after the heading, counted from one
            raise ValueError(f"{path}, line {line}: {what}: {','.join(row[list(ANSWERS)])}")
    if given.empty:
        raise ValueError(f"{path} holds no answer yet: write one per line, {','.join(ANSWERS)}")
