"""Features of references for several networks at once."""

import pytest
import torch

from lib.reference import reference_set, reference_sets

from .networks import affine, non_linear, references


def test_each_image_is_decoded_once_for_all_networks(tmp_path, monkeypatch):
    nets, data = [affine(), non_linear()], references(9)
    alone = [reference_set(net, data) for net in nets]
    decoded, record = [], type(data.records[0])
    sample = record.sample

    def counted(self, size):
        decoded.append(self.id)
        return sample(self, size)

    monkeypatch.setattr(record, "sample", counted)
    found = reference_sets(nets, data, batch_size=4, store=tmp_path)
    assert sorted(decoded) == sorted(data.ids)
    for one, other, net in zip(found, alone, nets, strict=True):
        assert torch.allclose(one.z, other.z) and one.classes.equal(other.classes)
        assert one.network == net.fingerprint
    again = reference_sets(nets[::-1], data, store=tmp_path)
    assert len(decoded) == len(data), "the store knows both"
    assert [R.content for R in again[::-1]] == [R.content for R in found]


def test_no_reference_is_an_error():
    with pytest.raises(ValueError, match="is empty: give at least one image"):
        reference_sets([affine()], references(0))
