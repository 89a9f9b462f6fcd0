import matplotlib.pyplot as plt
import pytest

from book.report import style
from book.report.fit import fit_titles


def titled(*titles, size=11):
    style()
    figure, panels = plt.subplots(1, len(titles), figsize=(6.4, 2))
    for panel, title in zip(panels, titles):
        panel.axis("off")
        panel.set_title(title, fontsize=size)
    fit_titles(figure)
    figure.draw_without_rendering()
    yield from panels
    plt.close(figure)


def width(artist):
    return artist.get_window_extent().width


def test_a_title_that_fits_stays():
    for panel in titled("CAM", "Grad-CAM"):
        assert panel.title.get_fontsize() == 11


@pytest.mark.parametrize(
    ("title", "lines"),
    [("Grad-CAM, as it is", 1), ("Linear approximation, weighted and negated", 2), ("x" * 40, 1)],
)
def test_titles_of_neighbours_do_not_collide(title, lines):
    panels = [*titled(*[title] * 5)]
    for left, right in zip(panels, panels[1:]):
        boxes = left.title.get_window_extent(), right.title.get_window_extent()
        assert len(title) > 30 and lines == 1 or boxes[0].x1 <= boxes[1].x0
        assert left.get_title().count("\n") + 1 == lines
