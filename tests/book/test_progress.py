"""The progress that a kernel reports to the build."""

from book import progress
from lib import data, nets
from lib.evaluate import evaluate


def test_nobody_is_told_where_nobody_waits(monkeypatch):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    assert progress.of("net") is None


def test_method_images_and_time_are_told(monkeypatch, tmp_path):
    file = tmp_path / "progress"
    monkeypatch.setenv(progress.VARIABLE, str(file))
    assert progress.read(file) == ""
    net, images = (
        nets.load("resnet18", weights="random"),
        data.load("imagenet_embedded", limit=2, size=64),
    )
    evaluate(net, images, ["fake_cam", "grad_cam"], ["average_drop"], progress=progress.of("net"))
    assert progress.read(file) == "grad_cam on net, 4 of 4 images, 0 s left"


def test_the_time_left_follows_from_what_is_done(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "progress"))
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    tell = progress.of("net")
    for seconds, done, said in (
        (30, 10, "90 s left"),
        (60, 5, "7 min left"),
        (60.1, 30, "7 min left"),
    ):
        now[0] = seconds
        tell("opti_cam", done, 40)  # the last comes too soon after the one before
        assert progress.read(tmp_path / "progress").endswith(said)
