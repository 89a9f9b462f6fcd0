"""Images decoded ahead by other processes."""

import os
import signal

import pandas as pd
import pytest
import torch
from PIL import Image

from lib import data
from lib.data import load
from lib.decoding import AHEAD, Decoder, workers_for
from lib.evaluate import evaluate

from . import networks


@pytest.fixture
def folder(tmp_path):
    """Six photographs, one of which cannot be read."""
    root = tmp_path / "photographs"
    root.mkdir()
    for name, photograph in zip("abcdef", load("imagenet_embedded", limit=6, size=32)):
        pixels = photograph.image.permute(1, 2, 0).mul(255).byte().numpy()
        Image.fromarray(pixels).save(root / f"{name}.png")
    (root / "b.png").write_bytes(b"no image")
    return data.load("folder", root=root, size=networks.SIZE)


def outcome(read, i: int) -> tuple:
    try:
        sample = read(i)
    except ValueError as error:
        return (str(error),)
    return sample.image.tolist(), sample.target, sample.id


@pytest.mark.parametrize("order", [range(6), [5, 0, 3, 3, 1, 4]])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_same_samples_in_any_order(folder, order, workers):
    with Decoder(folder, workers) as decoder:
        for i in order:
            assert outcome(decoder.sample, i) == outcome(folder.__getitem__, i)


def test_no_more_wait_than_said(folder):
    many = folder.subset([0, 2] * 50)
    with Decoder(many, 2) as decoder:
        for i in (0, 1, 40):
            decoder.sample(i)
            assert set(decoder._coming) <= set(range(i, i + 2 * AHEAD))
    with Decoder(many, 0) as decoder:
        decoder.sample(0)
        assert not decoder._coming and decoder._pool is None


def test_results_do_not_depend_on_workers(folder):
    net = networks.affine()
    frames = [
        evaluate(net, folder, ["grad_cam"], ["average_drop"], workers=workers, shard_size=2)
        for workers in (0, 2)
    ]
    pd.testing.assert_frame_equal(*(frame.drop(columns="seconds") for frame in frames))
    assert frames[0]["error"].notna().sum() == 1


def test_nothing_is_decoded_for_stored_results(folder, tmp_path, monkeypatch):
    readable = folder.subset([0, 2, 3, 4, 5])
    call = networks.affine(), readable, ["grad_cam"], ["average_drop"]
    first = evaluate(*call, store=tmp_path / "store", workers=1)
    monkeypatch.setattr("lib.decoding.ProcessPoolExecutor", None)
    again = evaluate(*call, store=tmp_path / "store", workers=1)
    pd.testing.assert_frame_equal(first, again)


def test_a_worker_that_dies_is_named(folder):
    with Decoder(folder, 1) as decoder:
        decoder.sample(0)
        decoder._coming.clear()
        os.kill(next(iter(decoder._pool._processes)), signal.SIGKILL)
        with pytest.raises(RuntimeError, match="decodes images has died.* fewer than 1 workers"):
            for i in (2, 3, 4):
                decoder.sample(i)


def test_workers_by_default():
    assert workers_for(torch.device("cpu"), None) == 0
    assert 1 <= workers_for(torch.device("cuda"), None) <= 8
    assert workers_for(torch.device("cuda"), 0) == 0
    with pytest.raises(ValueError, match="workers is at least 0, got -1"):
        workers_for(torch.device("cpu"), -1)
