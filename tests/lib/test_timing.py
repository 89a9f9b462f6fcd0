import pytest
import torch

from lib import data, nets, timing
from lib.errors import UnknownName
from lib.statistics import by_image, paired_difference
from lib.timing import REPETITIONS, times


@pytest.fixture(scope="module")
def net():
    return nets.load("resnet18", weights="random")


@pytest.fixture(scope="module")
def images():
    return data.load("imagenet_embedded", limit=2, size=64)


def test_repetitions_are_the_rows(net, images):
    found = times(
        net, images, {"a": "grad_cam", "b": ("opti_cam", {"iterations": 2})}, repetitions=3
    )
    assert set(found["metric"]) == {"seconds"} and (found["value"] > 0).all()
    assert by_image(found)["seconds"].shape == (3, 2)
    assert len(times(net, images, ["grad_cam"])) == REPETITIONS


def test_each_repetition_by_the_clock_without_the_warm_up(net, images, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing, "clock", lambda device: now[0])

    def taking(*seconds):
        left = iter(seconds)
        return lambda net, x, c: now.__setitem__(0, now[0] + next(left))

    found = times(net, images, {"a": taking(9, 1, 2), "b": taking(9, 4, 8)}, repetitions=2)
    assert found.pivot(index="image", columns="method", values="value").to_numpy().tolist() == [
        [1, 4],
        [2, 8],
    ]
    assert paired_difference(found, "seconds", "b", "a").mean == 4.5


def test_repetitions_take_turns(net, images):
    order = []
    times(net, images, {k: lambda *of, k=k: order.append(k) for k in "ab"}, repetitions=2)
    assert "".join(order) == "ab" + "abab"  # the warm-up comes first


def test_what_runs_is_one_image_and_its_class(net, images):
    seen = []
    times(net, images, {"a": lambda *of: seen.append(of)}, repetitions=1)
    of, x, c = seen[-1]
    assert of is net and torch.equal(x[0], images[0].image) and c.tolist() == [images[0].target]


def test_an_unknown_method(net, images):
    with pytest.raises(UnknownName, match="grad_cam"):
        times(net, images, ["grad_cma"])
