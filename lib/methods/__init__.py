"""The attribution methods, one function each, and the registry that describes them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..errors import unknown
from .ablation_cam import ablation_cam
from .attention import attends
from .calm import calm, has_latent_position
from .cam import cam
from .combination import weighted_sum
from .diff_cam import diff_cam
from .extremal_perturbation import extremal_perturbation
from .fake_cam import fake_cam
from .galore import galore
from .grad_cam import grad_cam
from .grad_cam_plus_plus import grad_cam_plus_plus
from .gradient_shap import gradient_shap
from .hires_cam import hires_cam
from .layer_cam import layer_cam
from .lift_cam import lift_cam
from .lime import lime
from .lime_cam import lime_cam
from .linear_approximation import linear_approximation
from .lrp_cam import lrp_cam
from .opti_cam import opti_cam
from .raw_attention import raw_attention
from .rollout import rollout
from .score_cam import score_cam
from .shap_cam import shap_cam
from .tibav import tibav
from .xgrad_cam import xgrad_cam

__all__ = ["METHODS", "Method", "method_named", "weighted_sum"]


@dataclass(frozen=True)
class Method:
    """An attribution method and its description.

    Attributes:
        fn: `fn(net, x, target, **options)` gives the raw signed map (B, h, w).
        title: the name that tables print.
        equation: the paper and the equation or section that define the method.
        relu: whether the map passes a ReLU before upsampling; see `rectifies`.
        needs: what the method uses beyond forward passes: "gradients", "reference images",
            "attention", "latent position".
        paper: the paper's key in the bibliography; by default the method's name.
    """

    fn: Callable[..., Tensor]
    title: str
    equation: str
    relu: bool = True
    needs: frozenset[str] = frozenset()
    paper: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "paper", self.paper or self.name)

    @property
    def name(self) -> str:
        return self.fn.__name__

    @property
    def coefficients(self) -> Callable[..., tuple[Tensor, Tensor]] | None:
        """The function that gives alpha (B, K) and A, if the map is one linear combination of
        channels (see `combination`); otherwise None."""
        return getattr(self.fn, "coefficients", None)

    @property
    def options(self) -> dict[str, object]:
        """The method's options with their defaults."""
        return {name: p.default for name, p in self._keywords.items()}

    @property
    def annotations(self) -> dict[str, object]:
        """The type annotation of each option."""
        return {name: p.annotation for name, p in self._keywords.items()}

    @property
    def _keywords(self) -> dict[str, inspect.Parameter]:
        parameters = inspect.signature(self.fn).parameters
        return {name: p for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}

    def runs_on(self, net) -> bool:
        """Whether the network has what the method needs, such as attention."""
        return all(has(net) for need, has in _OF_NETWORKS.items() if need in self.needs)

    def rectifies(self, options: dict) -> bool:
        """Whether the map passes a ReLU with these options. With a contrast it keeps its sign."""
        return self.relu and options.get("contrast", "none") == "none"


# The needs that depend on the network, each with its test.
_OF_NETWORKS = {"attention": attends, "latent position": has_latent_position}
_GRADIENTS, _ATTENTION = frozenset({"gradients"}), frozenset({"attention"})
_REFERENCE = frozenset({"reference images"})
_LA = 'Wang & Wang 2022, section "Back-Propagation till the Activation Space"'

METHODS: dict[str, Method] = {method.name: method for method in (
    Method(fake_cam, "Fake-CAM", "Poppi et al. 2021, section 3", relu=False),
    Method(cam, "CAM", "Zhou et al. 2016, eq. (2)", relu=False, needs=_GRADIENTS),
    Method(grad_cam, "Grad-CAM", "Selvaraju et al. 2017, eq. (1)-(2)", needs=_GRADIENTS),
    Method(grad_cam_plus_plus, "Grad-CAM++", "Chattopadhyay et al. 2018, eq. (10)-(11)",
           needs=_GRADIENTS),
    Method(score_cam, "Score-CAM", "Opti-CAM eq. (3)"),
    Method(ablation_cam, "Ablation-CAM", "Desai & Ramaswamy 2020, eq. (3)-(4)"),
    Method(xgrad_cam, "XGrad-CAM", "Fu et al. 2020, eq. (8)", needs=_GRADIENTS),
    Method(layer_cam, "Layer-CAM", "Jiang et al. 2021, eq. (5)-(7)", needs=_GRADIENTS),
    Method(extremal_perturbation, "ExtremalPerturbation", "Fong et al. 2019, section 3",
           relu=False, needs=_GRADIENTS),
    Method(hires_cam, "HiRes-CAM", "Draelos & Carin 2020, eq. (4)", needs=_GRADIENTS),
    Method(lime, "LIME", "Ribeiro et al. 2016, eq. (1)-(2)"),
    Method(gradient_shap, "GradientSHAP", "Lundberg & Lee 2017, section 4",
           needs=_GRADIENTS, paper="shap"),
    Method(raw_attention, "Raw attention", "Dosovitskiy et al. 2021, eq. (6)",
           relu=False, needs=_ATTENTION, paper="vit"),
    Method(rollout, "Rollout", "Abnar & Zuidema 2020, eq. (1)", relu=False, needs=_ATTENTION),
    Method(tibav, "TIBAV", "Chefer et al. 2021, eq. (13)-(14)",
           relu=False, needs=_ATTENTION | _GRADIENTS),
    Method(opti_cam, "Opti-CAM", "Opti-CAM eq. (8)-(11)",
           relu=False, needs=_GRADIENTS, paper="opticam"),
    Method(shap_cam, "SHAP-CAM", "LIFT-CAM, algorithm 1", paper="liftcam"),
    Method(lift_cam, "LIFT-CAM", "LIFT-CAM eq. (7)", needs=_GRADIENTS, paper="liftcam"),
    Method(lrp_cam, "LRP-CAM", "Bach et al. 2015, eq. (56)", needs=_GRADIENTS, paper="lrp"),
    Method(lime_cam, "LIME-CAM", "Ribeiro et al. 2016, eq. (1)-(2)", paper="lime"),
    Method(linear_approximation, "Linear approximation", _LA,
           relu=False, needs=_GRADIENTS, paper="contrast"),
    Method(diff_cam, "DiffCAM", "DiffCAM eq. (8)-(10)", needs=_REFERENCE, paper="diffcam"),
    Method(galore, "GALORE", "Wang & Vasconcelos 2020, section 3", relu=False, needs=_GRADIENTS),
    Method(calm, "CALM", "CALM supplement, eq. (f)", relu=False,
           needs=frozenset({"latent position"})),
)}  # fmt: skip


def method_named(name: str) -> Method:
    """The method of that name, or an error that lists them all."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]
