"""Images whose second most probable class is probable too, and the code that their pages share."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from book.contested import (
    Contested,
    contested,
    contrasted,
    distinct,
    evaluate_both,
    features_kept,
    original_and_weighted,
    ranked,
)
from book.experiments import Experiment
from lib.data.crops import crops
from lib.evaluate import evaluate, saliency_maps
from lib.methods import METHODS
from lib.metrics import METRICS


class Damaged:
    """A record that cannot be decoded."""

    id, target, annotated = "damaged", 0, frozenset()

    def sample(self, size):
        raise ValueError("no image")


@pytest.fixture(scope="module")
def birds():
    return Experiment("birds_alexnet", "birds", images=24).open(weights="random")


@pytest.fixture(scope="module")
def threshold(birds) -> float:
    """A value amid the second probabilities that equals none of them."""
    net, images = birds
    p = net(torch.stack([sample.image for sample in images])).softmax(1).topk(2).values[:, 1]
    return p.sort().values[len(p) // 2 - 1 :][:2].mean().item()


@pytest.fixture
def page(birds):
    """A page with the attributes that contested images read."""
    return SimpleNamespace(
        name="contrast/03_blurring_and_masking",
        opened=[birds],
        unlabelled=set(),
        batch_size=8,
        maps=saliency_maps,
        evaluate=lambda methods, metrics, opened: evaluate(*opened[0], methods, metrics),
    )


def test_contested_images_have_a_second_class_above_the_threshold(birds, page, threshold):
    net, images = birds
    p = net(torch.stack([sample.image for sample in images])).softmax(1)
    [one] = contested(page, threshold=threshold)
    chosen = (p.topk(2).values[:, 1] > threshold).nonzero().flatten().tolist()
    assert 0 < len(chosen) < 24 and one.data.ids == images.subset(chosen).ids
    assert torch.equal(one.top, p.topk(2).indices[chosen])
    torch.testing.assert_close(one.p, p[chosen])
    torch.testing.assert_close(one.third, p.topk(3).values[chosen, 2])


def test_the_most_probable_classes_do_not_depend_on_the_batch(birds):
    (one, _, top), (two, _, same) = (ranked(*birds, b) for b in (5, 24))
    assert one == two == list(range(24)) and torch.equal(top, same)


def test_an_image_that_cannot_be_read_is_left_out(birds):
    net, images = birds
    _, p, _ = ranked(net, images.subset([0, 2]))
    damaged = replace(images, records=(images.records[0], Damaged(), images.records[2]))
    read, found, _ = ranked(net, damaged)
    assert read == [0, 2]
    torch.testing.assert_close(found, p)


def test_of_crops_of_one_photograph_the_first_contested_is_taken(birds, page, capsys):
    net, images = birds
    page.opened = [(net, several := crops(images.subset(range(6))))]
    _, p, top = ranked(net, several)
    second = p.gather(1, top)[:, 1].view(6, 6)  # six crops of each
    threshold = second[0, 3].item() - 1e-6  # so that of the first photograph a crop is contested
    first = [(row > threshold).nonzero()[:1, 0].tolist() for row in second]
    expected = [6 * n + i for n, index in enumerate(first) for i in index]
    [one] = contested(page, threshold=threshold)
    assert one.data.ids == several.subset(expected).ids
    torch.testing.assert_close(one.p, p[expected])
    said = f"two classes compete on {len(expected)} of 6 images of birds, in one of 36 crops"
    assert said in capsys.readouterr().out


def test_a_network_without_contested_images_is_left_out(page, birds, threshold, capsys):
    net, images = birds
    least = ranked(net, images)[1].topk(2).values[:, 1].argmin().item()
    page.opened = [birds, (net, images.subset([least]))]
    assert len(contested(page, threshold=threshold)) == 1
    assert "two classes compete on 0 of 1 images of birds" in capsys.readouterr().out


def test_nothing_contested_stops_and_says_how_probable_a_second_class_becomes(page, birds):
    p = ranked(*birds)[1].topk(2).values[:, 1].max()
    with pytest.raises(
        ValueError, match=f"more probable than 0.5 .at most {p:.2g}.: lower threshold"
    ):
        contested(page, threshold=0.5)


def test_of_two_classes_none_is_the_third(page):
    one = Contested(page, None, None, None, torch.tensor([[0.7, 0.3]]), torch.tensor([[0, 1]]))
    assert one.third.tolist() == [0.0]


def test_a_class_is_ticked_only_where_it_is_known(page, birds, threshold):
    [one] = contested(page, threshold=threshold)
    one = replace(one, data=one.both["t1"])
    assert "✓" in one.titles(0)[0]
    page.unlabelled = {birds[0].name}
    assert "✓" not in one.titles(0)[0]


def test_a_doubtful_class_has_a_question_mark(page, threshold):
    [one] = contested(page, threshold=threshold)
    right = one.data.relabelled(one.top[:, 0].tolist())
    doubted = SimpleNamespace(targets=right.targets, doubtful=(True,) * len(right))
    assert "✓ (?)" in replace(one, data=doubted).titles(0)[0]
    assert "?" not in replace(one, data=right).titles(0)[0]


def test_the_object_is_its_mask_or_its_boxes_where_they_are_known(page, threshold):
    [one] = contested(page, threshold=threshold)
    assert torch.equal(one.objects, torch.stack([sample.mask for sample in one.samples]))

    def annotated(**changes):
        other = replace(one)
        other.__dict__["samples"] = [
            replace(sample, mask=None, **changes) for sample in one.samples
        ]
        return other.objects

    boxed = annotated(boxes=torch.tensor([[2.0, 3.0, 5.0, 4.0]]))
    assert boxed[0].nonzero().tolist() == [[3, 2], [3, 3], [3, 4]]
    assert annotated(boxes=None) is None


def test_contested_images_are_called_by_both_classes(page, threshold):
    [one] = contested(page, threshold=threshold)
    first, second = (one.images.classes[c] for c in one.top[0].tolist())
    assert one.names(0) == [first, second]
    assert one.titles(0)[0].startswith(f"$t_1$: {first}, ") and " %" in one.titles(0)[0]
    assert one.spoken([0]).startswith(
        f"t1: {first}, "
    ) and f" against t2: {second}, " in one.spoken([0])
    right = one.data.relabelled(one.top[:, 1].tolist())
    assert one.both["t2"] == right and len(one) == len(one.samples)


def test_maps_of_both_classes_are_signed(page, threshold):
    [one] = contested(page, threshold=threshold)
    maps = one.maps(contrasted("grad_cam", contrasts=("max",)), index=[1])
    assert maps.keys() == {("grad_cam_max", "t1"), ("grad_cam_max", "t2")}
    torch.testing.assert_close(maps["grad_cam_max", "t1"], -maps["grad_cam_max", "t2"])


def test_a_figure_has_two_rows_an_image_and_examples_behind(page, threshold):
    [one] = contested(page, threshold=threshold)
    maps = one.maps(contrasted("grad_cam"), index=[0, 1])
    figure = one.figure([0, 1], maps, ["original", "weighted"], examples=1)
    assert [len(block.axes) for block in figure.subfigs[:-1]] == [4] * 4
    rows = one.in_rows([0, 1], maps, ["original", "weighted"])
    assert [len(block.axes) for block in rows.subfigs[:-1]] == [5] * 2


def test_examples_are_others_that_are_rightly_taken_for_the_class(page, threshold):
    [one] = contested(page, threshold=threshold)
    predicted = one.net(torch.stack([sample.image for sample in one.images])).argmax(1)
    for i in range(len(one)):
        for j in one.examples(i, 0):
            c = one.top[i, 0]
            assert (
                one.images.targets[j] == c == predicted[j] and one.images.ids[j] != one.data.ids[i]
            )


def test_behind_an_affine_head_both_methods_are_one(birds):
    assert not birds[0].affine_head and distinct(SimpleNamespace(affine_head=True)) == ("grad_cam",)
    both = original_and_weighted(birds[0])
    assert list(both)[:2] == ["linear_approximation", "linear_approximation_weighted"]
    affine = original_and_weighted(SimpleNamespace(affine_head=True))
    assert list(affine) == ["grad_cam", "grad_cam_weighted"]
    for name, options in both.values():
        assert options.keys() <= METHODS[name].options.keys()


def test_rows_are_labelled_by_class(page, threshold):
    found = contested(page, threshold=threshold)
    kept = {name: how for name, how in features_kept().items() if name == "positive_zeros"}
    assert all(options.keys() <= METRICS[name].options.keys() for name, options in kept.values())
    frame = evaluate_both(found, lambda net: contrasted("grad_cam"), kept)
    labels = {f"grad_cam{kind}_{t}" for kind in ("", "_weighted") for t in ("t1", "t2")}
    assert set(frame["method"]) == labels and len(frame) == 4 * len(found[0])
