"""A network of somebody's own is copied with what it keeps, and without what is put around it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from lib import nets
from lib.nets.copies import bare, copied

SIZE = 16


class Keeps(nn.Module):
    """Keeps its features, as many implementations of CAM do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act, self.fc = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Linear(8, 4)
        self.kept: dict[str, list[Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.feat = self.act(self.conv(x))
        self.kept["all"] = [self.feat]
        return self.fc(self.feat.mean((2, 3)))


def images() -> Tensor:
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_a_network_that_keeps_features_is_wrapped_after_a_backward_pass():
    model, x = Keeps(), images()
    model(x).sum().backward()
    net = nets.wrap(model, input_size=SIZE)
    torch.testing.assert_close(net(x), model(x))
    assert model.feat.requires_grad and model.conv.weight.grad is not None
    twin = copied(model)
    assert torch.equal(twin.feat, model.feat) and not twin.feat.requires_grad
    assert twin.kept["all"][0] is twin.feat and twin.conv.weight.grad is not model.conv.weight.grad


@pytest.mark.parametrize(
    "around", [torch.compile, nn.DataParallel, torch.optim.swa_utils.AveragedModel,
               lambda model: torch.compile(nn.DataParallel(model))],
)  # fmt: skip
def test_what_pytorch_puts_around_a_network_is_left_out(around):
    model, x = Keeps(), images()
    whole = around(model)
    net = nets.wrap(whole, "act", input_size=SIZE)
    torch.testing.assert_close(net(x), model(x))
    assert type(net.model) is Keeps and type(bare(whole)) is Keeps


def test_so_it_is_around_a_part_of_the_network():
    model, x = nn.Sequential(torch.compile(Keeps()), nn.Identity()), images()
    net = nets.wrap(model, "0.act", input_size=SIZE)
    torch.testing.assert_close(net(x), model[0]._orig_mod(x))
    assert type(model[0]) is not Keeps


def test_the_users_hooks_do_not_run_on_the_copy():
    fired: list[int] = []
    model, x = Keeps(), images()
    model.act.register_forward_hook(lambda *_: fired.append(1))
    model.register_forward_pre_hook(lambda *_, **__: fired.append(2), with_kwargs=True)
    model.fc.register_full_backward_hook(lambda *_: fired.append(3))
    with pytest.warns(
        UserWarning, match="the hooks on act, fc, the network are not copied: what they"
    ):
        net = nets.wrap(model, input_size=SIZE)
    net(x.requires_grad_()).sum().backward()
    net.head(net.features(x))
    assert fired == []
    model(x)
    assert fired == [2, 1]


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize(
    "normalise",
    [nn.utils.weight_norm, nn.utils.spectral_norm, parametrizations.weight_norm,
     lambda layer: prune.random_unstructured(layer, "weight", 0.5)],
)  # fmt: skip
def test_pytorchs_own_hooks_stay(normalise, recwarn):
    model, x = Keeps(), images()
    normalise(model.conv)
    model(x).sum().backward()
    model.eval()
    net = nets.wrap(model, input_size=SIZE)
    torch.testing.assert_close(net(x), model(x))
    torch.testing.assert_close(net.to(torch.float64)(x).float(), model(x))
    assert not [w for w in recwarn if "hooks" in str(w.message)]


@pytest.mark.parametrize("made_inside", [False, True], ids=["made before", "made there"])
def test_a_network_is_wrapped_in_inference_mode(made_inside):
    model = Keeps()
    with torch.inference_mode():
        net = nets.wrap(Keeps() if made_inside else model, input_size=SIZE)
    x = images().requires_grad_()
    torch.testing.assert_close(net(x), model(x))
    net(x).sum().backward()
    assert x.grad.abs().sum() > 0
