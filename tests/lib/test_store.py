import errno
import os
import warnings

import numpy as np
import pytest

from lib.store import (
    keep,
    key,
    load_arrays,
    load_notes,
    recall,
    save_arrays,
    write_atomically,
)


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


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T[::-1]  # a view that is not contiguous
    return {"turned": turned, "whole": np.array([3, -1]), "none": np.zeros((0, 2))}


def test_arrays_and_notes_come_back(tmp_path, arrays):
    path = tmp_path / "a.safetensors"
    save_arrays(arrays, path, names="a\nb")
    found = load_arrays(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(found[name], array) and found[name].dtype == array.dtype
    assert load_notes(path)["names"] == "a\nb"


def test_no_flipped_bit_of_an_array_goes_unseen(tmp_path, arrays):
    path = tmp_path / "a.safetensors"
    save_arrays(arrays, path)
    whole, rng, seen = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = recall(path, load_arrays)
        same = found and all(np.array_equal(found[name], arrays[name]) for name in arrays)
        assert same or (found is None and [str(path) in str(one.message) for one in said] == [True])
        seen += found is None
    assert seen > 100


def test_a_header_longer_than_its_file_is_no_header(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"\xff" * 9)
    with pytest.raises(ValueError, match="its header is cut off"):
        load_notes(path)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ESTALE])
def test_a_file_that_another_machine_has_removed_is_not_damaged(tmp_path, code):
    def read(path):
        raise OSError(code, os.strerror(code))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert recall(tmp_path / "gone", read) is None


def test_a_file_that_may_not_be_read_is_not_damaged(tmp_path):
    def read(path):
        raise PermissionError(path)

    with pytest.raises(PermissionError):
        recall(tmp_path / "a", read)


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    said = "cannot write into {} .No space left on device.: .* not kept; make room"
    path = tmp_path / "folder" / "a"
    with pytest.warns(UserWarning, match=said.format(tmp_path)):
        assert keep(path, lambda p: p.write_text("one")) is False
    with pytest.warns(UserWarning, match=said.format("/far/above")):
        assert keep(path, lambda p: p.write_text("one"), store="/far/above") is False
    assert not list(path.parent.iterdir())


def test_what_can_be_written_is_there(tmp_path):
    assert keep(tmp_path / "a", lambda path: path.write_text("one")) is True
    assert (tmp_path / "a").read_text() == "one"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "values"
    path.write_text("old")

    def interrupted(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupted)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "new" / "values"
    write_atomically(path, lambda p: p.write_text("one"))
    write_atomically(path, lambda p: p.write_text("2"))
    assert path.read_text() == "2" and list(path.parent.iterdir()) == [path]


def test_others_may_read_what_is_written(tmp_path):
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "kept", lambda path: path.write_text(""))
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1, "a file has other rights than one that is simply written"
