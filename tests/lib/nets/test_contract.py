"""The contract of a classifier, on architectures of every kind, with random weights."""

import pickle
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from lib import nets
from lib.nets import context_of
from lib.nets.weights import build

pytestmark = pytest.mark.filterwarnings("ignore:The default weight initialization of inception_v3")


@dataclass(frozen=True)
class Case:
    """What to expect of a network: its default layer and grid, and a layer inside a block."""

    name: str
    layer: str
    grid: tuple[int, int, int]
    inner: str
    inner_grid: tuple[int, int, int]
    context: bool = True  # whether more than A crosses the cut at the inner layer
    affine: bool = False
    size: int = 224


CASES = [
    Case("torchvision:resnet50", "layer4.2.relu", (2048, 7, 7), "layer4.1.conv2", (512, 7, 7), affine=True),
    Case("torchvision:vgg16_bn", "features.42", (512, 14, 14), "features.34", (512, 14, 14), context=False),
    Case("torchvision:alexnet", "features.11", (256, 13, 13), "features.8", (256, 13, 13), context=False),
    Case("torchvision:mobilenet_v3_large", "features.16.2", (960, 7, 7), "features.14.block.1.0", (960, 7, 7)),
    Case("torchvision:densenet121", "relu", (1024, 7, 7), "features.denseblock4.denselayer8.conv1", (128, 7, 7),
         affine=True),
    Case("torchvision:inception_v3", "Mixed_7c", (2048, 8, 8), "Mixed_7b.branch3x3_1", (384, 8, 8), affine=True,
         size=299),
    # inside a block there is nothing to see: its random initialisation scales residuals by 1e-6
    Case("convnext_tiny", "stages.3.blocks.2", (768, 7, 7), "stages.3.downsample.1", (768, 7, 7), context=False),
    Case("tf_efficientnet_lite0", "bn2", (1280, 7, 7), "blocks.5.1.conv_dw", (1152, 7, 7), affine=True),
    Case("vit_tiny_patch16_224", "blocks.11.norm1", (192, 14, 14), "blocks.6.mlp.fc1", (768, 14, 14)),
    Case("deit_tiny_distilled_patch16_224", "blocks.11.norm1", (192, 14, 14), "blocks.8.attn", (192, 14, 14)),
    Case("swin_tiny_patch4_window7_224", "layers.3.blocks.1.norm1", (768, 7, 7), "layers.3.blocks.0.mlp",
         (768, 7, 7)),
]  # fmt: skip
SMALL = ["tf_efficientnet_lite0", "deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224"]


@dataclass(frozen=True)
class Loaded:
    case: Case
    net: nets.Classifier
    x: Tensor  # (2, 3, H, W)
    logits: Tensor  # of a bare network of its own, normalised by hand


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def loaded(request) -> Loaded:
    case = request.param
    net = nets.load(case.name, weights="random")
    x = torch.rand(2, 3, case.size, case.size, generator=torch.Generator().manual_seed(3))
    bare = build(case.name).eval()
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    if case.name in ("tf_efficientnet_lite0", "vit_tiny_patch16_224"):
        mean = std = (0.5, 0.5, 0.5)
    with torch.no_grad():
        logits = bare((x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1))
    return Loaded(case, net, x, logits)


@pytest.fixture(scope="module")
def inner(loaded: Loaded) -> nets.Classifier:
    """The same network, cut inside a block."""
    net = loaded.net
    scaling = {key: getattr(net, key).flatten().tolist() for key in ("mean", "std")}
    return nets.Classifier(net.model, loaded.case.inner, input_size=net.input_size, **scaling)


def assert_same(got: Tensor, want: Tensor, tolerance: float = 1e-5) -> None:
    """Equal but for a fraction of the largest value."""
    assert got.shape == want.shape
    assert (got - want).abs().max() <= tolerance * want.abs().max()


@torch.no_grad()
def test_default_layer_and_grid(loaded):
    case, net = loaded.case, loaded.net
    assert net.layer == case.layer
    assert net.features(loaded.x).shape == (2, *case.grid)
    assert net.affine_head == case.affine
    assert net.num_classes == 1000 and net.input_size == case.size


@torch.no_grad()
def test_features_and_head_make_the_bare_network(loaded):
    assert_same(loaded.net(loaded.x), loaded.logits)
    assert_same(loaded.net.head(loaded.net.features(loaded.x)), loaded.logits)


@torch.no_grad()
def test_so_they_do_inside_a_block(loaded, inner):
    A = inner.features(loaded.x)
    assert A.shape == (2, *loaded.case.inner_grid)
    assert inner.needs_context == loaded.case.context
    assert_same(inner.head(A), loaded.logits)


def test_an_affine_head_is_affine(loaded):
    net = loaded.net
    if not net.affine_head:
        pytest.skip("the head is not known to be affine")
    with torch.no_grad():
        A = net.features(loaded.x)
        middle = net.head((A + A.flip(0)) / 2)
        assert_same(middle, (loaded.logits + loaded.logits.flip(0)) / 2, 1e-4)


def test_parameters_are_frozen_and_train_stays_eval(loaded):
    net = loaded.net
    assert not any(p.requires_grad for p in net.parameters())
    assert (
        net.train() is net and not any(m.training for m in net.model.modules()) and not net.training
    )


def test_gradients_reach_images_and_activations(loaded, inner):
    x = loaded.x[:1].clone().requires_grad_()
    inner.head(inner.features(x))[0, 3].backward()
    assert x.grad.isfinite().all() and x.grad.abs().max() > 0
    with torch.no_grad():
        A = inner.features(loaded.x[:1])
    A = A.detach().requires_grad_()
    (g,) = torch.autograd.grad(inner.head(A)[0, 3], A)
    assert g.shape == A.shape and g.isfinite().all() and g.abs().max() > 0
    assert all(p.grad is None for p in inner.parameters())


@torch.no_grad()
def test_the_head_depends_on_the_activation(loaded, inner):
    A = inner.features(loaded.x)
    other = inner.head(torch.zeros_like(A))
    assert (other - loaded.logits).abs().max() > 1e-4 * loaded.logits.abs().max()


@torch.no_grad()
def test_a_batch_that_repeats_images(loaded, inner):
    index = torch.tensor([1, 0, 1])
    A = inner.features(loaded.x)
    rows = torch.stack(
        [torch.Tensor(A[i].detach()) for i in index.tolist()]
    )  # no context of its own
    assert_same(inner.head(rows, context_of(A, index)), loaded.logits[index])
    assert_same(inner.head(A[index]), loaded.logits[index])


def test_only_the_later_layers_run_in_the_head(loaded, inner):
    """The layer itself, and every module that finishes before it starts, runs in `features` alone."""
    ran: list[nn.Module] = []
    halves = inner._split.modules()
    leaves = {m for half in halves for m in half.modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    hooks = [m.register_forward_hook(lambda m, *_: ran.append(m)) for m in leaves]
    try:
        with torch.no_grad():
            A = inner.features(loaded.x[:1])
            early, ran[:] = list(ran), []
            inner.head(A)
    finally:
        for hook in hooks:
            hook.remove()
    assert early and ran and not set(early) & set(ran)
    assert len(early) + len(ran) <= len(
        [m for m in loaded.net.model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    )


@torch.no_grad()
@pytest.mark.parametrize(
    "loaded", [case for case in CASES if case.name in SMALL], ids=SMALL, indirect=True
)
def test_pickling_and_double_precision(loaded):
    """A copy through pickle is a classifier of its own, and follows `.to`."""
    net = loaded.net
    copy = pickle.loads(pickle.dumps(net))
    assert copy.layer == net.layer and copy.fingerprint == net.fingerprint
    assert torch.equal(copy(loaded.x), net(loaded.x))
    copy = copy.to(torch.float64)
    A = copy.features(loaded.x)
    assert copy.dtype == A.dtype == torch.float64
    assert_same(copy.head(A).float(), loaded.logits)
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
    assert type(cpu._split) is type(cuda._split) and cuda.device.type == "cuda"
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        assert_same(cuda.features(x).cpu(), cpu.features(x), 1e-3)
        assert_same(cuda.head(cuda.features(x)).cpu(), cpu(x), 1e-3)
