"""DiffCAM against its equations, image by image, and the references that it accepts."""

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf

from lib import nets
from lib.errors import UnknownName
from lib.evaluate import evaluate, saliency_maps
from lib.reference import ReferenceSet, reference_set
from lib.saliency import attribute, explain, raw_map

from ..networks import CLASSES, MEAN, SIZE, STD, affine, images, non_linear, references

TARGET = torch.tensor([0, 1, 2, 3])


@pytest.fixture(scope="module")
def net():
    return non_linear()


@pytest.fixture(scope="module")
def R(net) -> ReferenceSet:
    return reference_set(net, references(30))


def written_out(net, image, target, R, k):
    """The raw map of one image for the question "why", in numpy."""
    A = net.features(image[None])[0].detach().numpy()
    z = A.mean((1, 2))
    others = R.z[R.classes != target].numpy()
    nearest = others[np.argsort(((others - z) ** 2).sum(1), kind="stable")[:k]]
    S, _ = ledoit_wolf(nearest)
    w = np.linalg.inv(S) @ (z - nearest.mean(0))
    return torch.from_numpy(np.tensordot(w, A, 1)) * np.trace(S) / len(S)


@pytest.mark.parametrize("k", [3, 20, None])
def test_why_is_the_direction_from_the_nearest_of_other_classes(net, R, k):
    x = images()
    raw = raw_map("diff_cam", net, x, TARGET, reference=R, k=k)
    for i in range(4):
        assert torch.allclose(raw[i], written_out(net, x[i], int(TARGET[i]), R, k), rtol=1e-8)


def test_why_not_is_the_direction_from_all_images_of_the_rival(net, R):
    x = images()
    raw = raw_map("diff_cam", net, x, TARGET, reference=R, question="why not", rival=4, k=1)
    group = R.subset(R.classes == 4)
    of_it_alone = raw_map("diff_cam", net, x, TARGET, reference=ReferenceSet(group.z), k=None)
    assert torch.allclose(raw, of_it_alone)


def test_each_class_has_its_rival(net, R):
    x, how = images(), {"reference": R, "question": "why not"}
    rivals = {0: 4, 1: 0, 2: 3, 3: 1}
    together = raw_map("diff_cam", net, x, TARGET, rival=rivals, **how)
    for i, c in enumerate(TARGET.tolist()):
        alone = raw_map("diff_cam", net, x[i : i + 1], c, rival=rivals[c], **how)
        assert torch.allclose(together[i], alone[0])


def test_a_reference_may_be_images_features_or_both(net, R):
    x, data = images(), references(30)
    want = raw_map("diff_cam", net, x, TARGET, reference=R)
    assert torch.allclose(raw_map("diff_cam", net, x, TARGET, reference=data), want)
    unlabelled = data.relabelled([None] * 30)
    of_all = raw_map("diff_cam", net, x, TARGET, reference=unlabelled)
    assert torch.allclose(raw_map("diff_cam", net, x, TARGET, reference=R.z), of_all)
    assert not torch.allclose(of_all, want)


def test_images_of_a_dataset_are_taken_at_the_size_of_what_is_explained():
    x, data = images(size=(24, 24)), references(30)
    net = affine()
    want = raw_map("diff_cam", net, x, TARGET, reference=reference_set(net, data.at(24)))
    assert torch.allclose(raw_map("diff_cam", net, x, TARGET, reference=data), want)


def test_the_image_itself_is_no_reference(net):
    data = references(30)
    R = reference_set(net, data)
    x, own = data[7].image[None], int(R.classes[7])
    others = R.subset(torch.arange(30) != 7)
    for how in ({"k": None}, {"question": "why not", "rival": own}):
        target = (own + 1) % CLASSES
        with_it = raw_map("diff_cam", net, x, target, reference=R, **how)
        assert torch.allclose(with_it, raw_map("diff_cam", net, x, target, reference=others, **how))


def test_its_coefficients_are_the_direction(net, R):
    found = attribute("diff_cam", net, images(), TARGET, reference=R)
    A = net.features(images())
    assert torch.allclose(found.map, torch.einsum("bk,bkhw->bhw", found.coefficients, A))


def test_a_backbone_is_explained_as_its_network_is(net, R):
    """Only the features run."""
    bare = affine()
    data, x = references(30), images()
    want = explain("diff_cam", bare, x, TARGET, reference=data)
    headless = affine().model
    headless.classifier = torch.nn.Identity()
    backbone = nets.wrap(headless, "act", mean=MEAN, std=STD, input_size=SIZE)
    backbone.num_classes = 0
    assert torch.allclose(explain("diff_cam", backbone, x, TARGET, reference=data), want)
    everything = explain("diff_cam", backbone, x, reference=data.relabelled([None] * 30))
    assert torch.allclose(explain("diff_cam", backbone, x, reference=data), everything)
    assert torch.allclose(saliency_maps(backbone, data, "diff_cam", reference=data)[:4],
                          explain("diff_cam", bare, torch.stack([data[i].image for i in range(4)]),
                                  torch.tensor(data.targets[:4]), reference=data).float(), atol=1e-5)  # fmt: skip


# ------------------------------------------------------------------------------------ the store


def test_the_store_knows_a_reference_by_its_content(net, tmp_path):
    data, few, other = references(30), references(6), references(30, seed=500)
    energy = {"metrics": ["average_drop"], "store": tmp_path}
    values = {}
    for name, reference in {"all": data, "few": few, "other": other}.items():
        for form in (reference, reference_set(net, reference, store=tmp_path)):
            frame = evaluate(net, references(4), {"d": ("diff_cam", {"reference": form})}, **energy)
            assert frame["error"].isna().all()
            values.setdefault(name, []).append(frame["value"].tolist())
    assert all(first == pytest.approx(second) for first, second in values.values())
    assert len({tuple(of[0]) for of in values.values()}) == 3


def test_stored_features_are_read(net, tmp_path, monkeypatch):
    want = reference_set(net, references(9), store=tmp_path)
    monkeypatch.setattr("lib.reference._pooled", None)
    again = reference_set(net, references(9), store=tmp_path)
    assert torch.equal(again.z, want.z) and torch.equal(again.classes, want.classes)
    with pytest.raises(TypeError):
        reference_set(net, references(8), store=tmp_path)


def test_an_image_without_another_class_is_an_error_row_and_the_rest_goes_on(net):
    """If all references are of class 0, an image of class 0 has nothing to be told from."""
    group = references(30)
    group = group.subset(i for i in range(30) if group.targets[i] == 0)
    frame = evaluate(
        net, references(10), {"d": ("diff_cam", {"reference": group})}, ["average_drop"]
    )
    failed = frame["error"].notna()
    assert failed.sum() == 2 and (frame["target"][failed] == 0).all()
    assert "no image of a class other than class 0" in frame["error"][failed].iloc[0]


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("options, problem", [
    ({"reference": None}, "needs reference images: pass reference="),
    ({"reference": "photographs"}, "a Dataset, features .* got str"),
    ({"reference": references(0)}, "the reference noise is empty"),
    ({"reference": torch.zeros(0, 6)}, "the reference is empty"),
    ({"reference": torch.zeros(3, 6, 2, 2)}, r"are \(n, K\), floats, got \(3, 6, 2, 2\)"),
    ({"reference": torch.zeros(3, 6).long()}, r"floats, got \(3, 6\), torch.int64"),
    ({"reference": torch.full((3, 6), torch.nan)}, "hold NaN or infinity"),
    ({"reference": torch.rand(3, 9)}, "the reference has 9 channels, and network has 6"),
    ({"reference": references(), "question": "why not"}, "needs a rival"),
    ({"reference": references(3), "question": "why not", "rival": 4}, "no image of the rival of class 0"),
    ({"reference": references(), "question": "why not", "rival": 2}, "class 2 is its own rival"),
    ({"reference": references(), "k": 0}, "k is at least 1, got 0"),
    ({"reference": references(), "shrinkage": 2.0}, r"in \[0, 1\], got 2.0"),
])  # fmt: skip
def test_bad_input_is_refused(net, options, problem):
    with pytest.raises(ValueError, match=problem):
        explain("diff_cam", net, images(), TARGET, **options)


def test_an_unknown_question_lists_those_there_are(net):
    with pytest.raises(UnknownName, match="unknown question 'why is'.*why, why not"):
        explain("diff_cam", net, images(), TARGET, reference=references(), question="why is")


def test_features_of_another_network_are_refused(R):
    with pytest.raises(ValueError, match="of another network or layer than network after 'act'"):
        explain("diff_cam", affine(), images(), TARGET, reference=R)


def test_classes_are_one_an_image():
    with pytest.raises(ValueError, match=r"one an image, \(3,\), got \(2,\)"):
        ReferenceSet(torch.rand(3, 6), torch.tensor([0, 1]))
