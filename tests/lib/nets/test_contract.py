"""The contract of a classifier, on architectures of every kind, with random weights."""

import copy
import pickle
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from lib import nets
from lib.nets import context_of
from lib.nets.weights import build

from .. import networks

pytestmark = pytest.mark.filterwarnings("ignore:The default weight initialization of inception_v3")


@dataclass(frozen=True)
class Case:
    """What to expect of a network: its default layer and grid, and a layer inside a block.

    Images are small, which changes the grids but neither layers nor what crosses a cut.
    """

    name: str
    layer: str
    grid: tuple[int, int, int]
    inner: str
    inner_grid: tuple[int, int, int]
    context: bool = True  # whether more than A crosses the cut at the inner layer
    affine: bool = False
    size: int = 96
    architecture: str = "CNN"
    options: dict = field(default_factory=dict)


VIT = {"architecture": "transformer", "options": {"img_size": 96}}
SWIN = {"architecture": "transformer", "options": {"img_size": 128, "window_size": 4}, "size": 128}
CASES = [
    Case("torchvision:resnet50", "layer4.2.relu", (2048, 3, 3), "layer4.1.conv2", (512, 3, 3), affine=True),
    Case("torchvision:vgg16_bn", "features.42", (512, 4, 4), "features.34", (512, 4, 4), context=False, size=64),
    Case("torchvision:alexnet", "features.11", (256, 5, 5), "features.8", (256, 5, 5), context=False),
    Case("torchvision:mobilenet_v3_large", "features.16.2", (960, 3, 3), "features.14.block.1.0", (960, 3, 3)),
    Case("torchvision:densenet121", "relu", (1024, 3, 3), "features.denseblock4.denselayer8.conv1", (128, 3, 3),
         affine=True),
    Case("torchvision:inception_v3", "Mixed_7c", (2048, 3, 3), "Mixed_7b.branch3x3_1", (384, 3, 3), affine=True,
         size=139),
    # inside a block there is nothing to see: its random initialisation scales residuals by 1e-6
    Case("convnext_tiny", "stages.3.blocks.2", (768, 3, 3), "stages.3.downsample.1", (768, 3, 3), context=False),
    Case("tf_efficientnet_lite0", "bn2", (1280, 3, 3), "blocks.5.1.conv_dw", (1152, 3, 3), affine=True),
    Case("vit_tiny_patch16_224", "blocks.11.norm1", (192, 6, 6), "blocks.6.mlp.fc1", (768, 6, 6), **VIT),
    Case("deit_tiny_distilled_patch16_224", "blocks.11.norm1", (192, 6, 6), "blocks.8.attn", (192, 6, 6), **VIT),
    Case("swin_tiny_patch4_window7_224", "layers.3.blocks.1.norm1", (768, 4, 4), "layers.3.blocks.0.mlp",
         (768, 4, 4), **SWIN),
]  # fmt: skip
SCALING = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@dataclass(frozen=True)
class Loaded:
    case: Case
    net: nets.Classifier
    x: Tensor  # (2, 3, H, W)
    logits: Tensor  # of a copy of the bare network, normalised by hand
    A: Tensor


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def loaded(request) -> Loaded:
    case = request.param
    model = build(case.name, **case.options)
    bare = copy.deepcopy(model).eval()
    net = nets.Classifier(model, input_size=case.size, **SCALING)
    x = torch.rand(2, 3, case.size, case.size, generator=torch.Generator().manual_seed(3))
    mean, std = (torch.tensor(SCALING[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        return Loaded(case, net, x, bare((x - mean) / std), net.features(x))


@dataclass(frozen=True)
class Inner:
    """The same network, cut inside a block."""

    net: nets.Classifier
    A: Tensor


@pytest.fixture(scope="module")
def inner(loaded: Loaded) -> Inner:
    size = loaded.case.size
    net = nets.Classifier(loaded.net.model, loaded.case.inner, input_size=size, **SCALING)
    with torch.no_grad():
        return Inner(net, net.features(loaded.x))


def assert_same(got: Tensor, want: Tensor, tolerance: float = 1e-5) -> None:
    """Equal but for a fraction of the largest value."""
    assert got.shape == want.shape
    assert (got - want).abs().max() <= tolerance * want.abs().max()


def test_default_layer_and_grid(loaded):
    case, net = loaded.case, loaded.net
    assert net.layer == case.layer
    assert loaded.A.shape == (2, *case.grid)
    assert net.affine_head == case.affine
    assert net.num_classes == 1000 and net.input_size == case.size
    assert net.architecture == case.architecture


@torch.no_grad()
def test_features_and_head_make_the_bare_network(loaded):
    assert_same(loaded.net(loaded.x), loaded.logits)
    assert_same(loaded.net.head(loaded.A), loaded.logits)


@torch.no_grad()
def test_so_they_do_inside_a_block(loaded, inner):
    assert inner.A.shape == (2, *loaded.case.inner_grid)
    assert inner.net.needs_context == loaded.case.context
    assert inner.net.architecture == loaded.case.architecture
    assert_same(inner.net.head(inner.A), loaded.logits)


@torch.no_grad()
def test_an_affine_head_is_affine_and_no_other(loaded):
    A = 10 * loaded.A / loaded.A.abs().max()  # random weights let activations vanish
    ends = A, -2 * A[[1, 0]]
    one, two, middle = (loaded.net.head(B) for B in (*ends, sum(ends) / 2))
    deviation = (middle - (one + two) / 2).abs().max() / two.abs().max()
    assert (deviation < 1e-4) == loaded.case.affine


def test_parameters_are_frozen_and_train_stays_eval(loaded):
    net = loaded.net
    assert not any(p.requires_grad for p in net.parameters())
    assert (
        net.train() is net and not any(m.training for m in net.model.modules()) and not net.training
    )


def test_gradients_reach_images_and_activations(loaded, inner):
    x = loaded.x[:1].clone().requires_grad_()
    inner.net.head(inner.net.features(x))[0, 3].backward()
    assert x.grad.isfinite().all() and x.grad.abs().max() > 0
    A = inner.A[:1].detach().requires_grad_()
    (g,) = torch.autograd.grad(inner.net.head(A)[0, 3], A)
    assert g.shape == A.shape and g.isfinite().all() and g.abs().max() > 0
    assert all(p.grad is None for p in inner.net.parameters())


@torch.no_grad()
def test_the_head_depends_on_the_activation(loaded, inner):
    other = inner.net.head(torch.zeros_like(inner.A))
    assert (other - loaded.logits).abs().max() > 1e-4 * loaded.logits.abs().max()


@torch.no_grad()
def test_a_batch_that_repeats_images(loaded, inner):
    index, A = torch.tensor([1, 0, 1]), inner.A
    rows = torch.stack(
        [torch.Tensor(A[i].detach()) for i in index.tolist()]
    )  # no context of its own
    assert_same(inner.net.head(rows, context_of(A, index)), loaded.logits[index])
    assert_same(inner.net.head(A[index]), loaded.logits[index])


def test_only_the_later_layers_run_in_the_head(loaded, inner):
    """The layer itself, and every module that finishes before it starts, runs in `features` alone."""
    ran: list[nn.Module] = []
    halves = inner.net._cut.modules() or [inner.net._cut._model]
    leaves = {m for half in halves for m in half.modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    hooks = [m.register_forward_hook(lambda m, *_: ran.append(m)) for m in leaves]
    try:
        with torch.no_grad():
            A = inner.net.features(loaded.x[:1])
            early, ran[:] = list(ran), []
            inner.net.head(A)
    finally:
        for hook in hooks:
            hook.remove()
    assert early and ran and not set(early) & set(ran)
    assert len(early) + len(ran) <= len(
        [m for m in loaded.net.model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    )


@torch.no_grad()
@pytest.mark.parametrize(
    "network",
    [lambda: nets.load("test_efficientnet", weights="random"), lambda: nets.load("test_vit", weights="random"),
     lambda: networks.distilled().float(), lambda: networks.untraceable().float()],
)  # fmt: skip
def test_pickling_and_double_precision(network):
    """A copy through pickle is a classifier of its own, and follows `.to`."""
    net = network()
    x = torch.rand(2, 3, net.input_size, net.input_size, generator=torch.Generator().manual_seed(3))
    other = pickle.loads(pickle.dumps(net))
    assert other.layer == net.layer and other.fingerprint == net.fingerprint
    assert torch.equal(other(x), net(x))
    other = other.to(torch.float64)
    A = other.features(x)
    assert other.dtype == A.dtype == torch.float64
    assert_same(other.head(A).float(), net(x))
    assert net.dtype == torch.float32


# ------------------------------------------------------------------------------------- CUDA


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"]
)
def test_cuda_agrees_with_the_cpu(name):
    cpu, cuda = nets.load(name, weights="random"), nets.load(name, weights="random", device="cuda")
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    assert type(cpu._cut) is type(cuda._cut) and cuda.device.type == "cuda"
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        assert_same(cuda.features(x).cpu(), cpu.features(x), 1e-3)
        assert_same(cuda.head(cuda.features(x)).cpu(), cpu(x), 1e-3)
