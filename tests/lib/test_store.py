import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from lib.store import Explained, Held, ShardStore, key, write_atomically

IMAGES = ("a", "b", "c")


def test_key_depends_on_every_part_and_not_on_the_order_of_options():
    assert key("a", {"x": 1, "y": 2}) == key("a", {"y": 2, "x": 1})
    keys = {
        key("a"),
        key("b"),
        key("a", "b"),
        key(["a", "b"]),
        key("a", {"x": 1}),
        key("a", {"x": 2}),
    }
    assert len(keys) == 6


def test_values_come_back(tmp_path):
    frame = pd.DataFrame({
        "target": pd.array([1, None], dtype="Int64"),
        "value": [0.5, np.nan],
        "error": pd.array([None, "bad"], dtype="string"),
    })  # fmt: skip
    files = ShardStore(tmp_path, "method", IMAGES)
    assert files.read_values("average_drop") is None
    files.write_values("average_drop", frame)
    pd.testing.assert_frame_equal(files.read_values("average_drop"), frame)
    assert files.read_values("average_gain") is None
    assert ShardStore(tmp_path, "other", IMAGES).read_values("average_drop") is None


def test_maps_come_back_by_image_and_class(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    maps = {
        (i, c): Explained(np.full((2, 3), i + c, np.float32), i / 10)
        for i in range(3)
        for c in (5, 7)
    }
    assert files.read_maps(maps) == {}
    files.write_maps({k: v for k, v in maps.items() if k[1] == 5})
    files.write_maps({k: v for k, v in maps.items() if k[1] == 7})
    known = files.read_maps([*maps, (0, 6)])
    assert known.keys() == maps.keys()
    for k, explained in maps.items():
        assert np.array_equal(known[k].map, explained.map) and known[k].map.dtype == np.float32
        assert known[k].seconds == explained.seconds and known[k].coefficients is None


def test_another_choice_of_images_finds_its_maps_but_not_its_values(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    files.write_maps({(i, 0): Explained(np.full((1, 1), i), 0.0) for i in range(3)})
    files.write_values("m", pd.DataFrame({"value": [1.0, 2.0, 3.0]}))
    some = ShardStore(tmp_path, "method", ["c", "d", "a"])
    assert {i: m.map.item() for (i, _), m in some.read_maps((i, 0) for i in range(3)).items()} == {
        0: 2,
        2: 0,
    }
    assert some.read_values("m") is None


def test_a_view_of_a_map_is_stored_as_it_reads(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T[::-1]
    files.write_maps({(0, 1): Explained(turned, 0.1)})
    assert np.array_equal(files.read_maps([(0, 1)])[0, 1].map, turned)


def test_coefficients_come_back_with_their_maps(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    alpha = np.arange(5, dtype=np.float32)
    files.write_maps({(0, 3): Explained(np.zeros((2, 2)), 0.1, alpha)})
    assert np.array_equal(files.read_maps([(0, 3)])[0, 3].coefficients, alpha)


def test_writing_no_maps_makes_no_file(tmp_path):
    ShardStore(tmp_path, "method", IMAGES).write_maps({})
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "values.parquet"
    path.write_text("old")

    def interrupted(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupted)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "new" / "values.parquet"
    write_atomically(path, lambda p: p.write_text("one"))
    write_atomically(path, lambda p: p.write_text("2"))
    assert path.read_text() == "2" and list(path.parent.iterdir()) == [path]


def test_without_a_store_nothing_is_remembered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ShardStore(None, "method", IMAGES)
    with files.claim(0, 0, wait=False):
        files.write_values("m", pd.DataFrame({"value": [1.0]}))
        files.write_maps({(0, 0): Explained(np.zeros((2, 2)), 0.1)})
    assert files.read_values("m") is None and files.read_maps([(0, 0)]) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_map_is_claimed_by_one_at_a_time(tmp_path):
    inside, most = [], []

    def work(_):
        with ShardStore(tmp_path, "method", IMAGES).claim(0, 3, wait=True):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(2)))
    assert most == [1] * 2


def test_a_claim_stands_for_one_image_and_class_in_every_choice_of_images(tmp_path):
    some = ShardStore(tmp_path, "method", ["c", "a"])

    def refused(image, target):
        def claim():
            try:
                with some.claim(image, target, wait=False):
                    return False
            except Held:
                return True

        with ThreadPoolExecutor(1) as other:
            return other.submit(claim).result()

    with ShardStore(tmp_path, "method", IMAGES).claim(0, 3, wait=False):
        assert [refused(1, 3), refused(1, 4), refused(0, 3)] == [True, False, False]
    assert not refused(1, 3) and list(tmp_path.rglob("*.claim")) == []
