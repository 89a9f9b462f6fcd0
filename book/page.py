"""A page of the book: what it runs, and how it shows the results."""

import atexit
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lib import evaluate as evaluation
from lib import nets, timing
from lib.checks import NO_CLASS
from lib.classes import matched
from lib.cluster import workers
from lib.data import DATASETS, Dataset, load, spread
from lib.maps import predict
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.paths import BUILD, given
from lib.reference import ReferenceSet, reference_set

from . import needs, progress, report
from .experiments import Experiment, Plan, asked, plan
from .parameters import PATHS, check_given
from .report.published import counterparts

Methods = Iterable[str] | Mapping[str, tuple[str, dict]]
Metrics = Iterable[str] | Mapping[str, Any]


class Page:
    """The work that all pages share: check parameters, open networks and images, evaluate, report.

    Args:
        name: as in `_toc.yml`, without the folder of notebooks.
        namespace: the `globals()` of the notebook, which hold its parameters.
        needs: the needs without which nothing on the page can run, see `book.needs`.
        opening: opens an experiment in place of `Experiment.open`, with the same arguments.
        limited: whether `n_images` limits the opened images; a page that chooses among all images
            reads the parameter itself.

    Attributes:
        parameters: the values in force, by name.
        profile: the profile whose experiments run: "smoke", "embedded" or "paper".
        cost: the profile whose options, counts and steps apply: the same one, unless a user runs their
            own images at the cost of another.
        experiments: those of the profile, or those that the parameters ask for instead.
        opened: the network and the images of each experiment, at the network's size. Images of a
            dataset without labels have the class that the network predicts.
        unlabelled: the names of the networks whose images have predicted classes.
        store: the folder of results, which pages share.

    Example:
        >>> page = Page("opticam/01_classification_metrics", globals())
        >>> page.protocol()
        >>> frame = page.evaluate(["grad_cam", "opti_cam"], ["average_drop", "average_gain"])
        >>> page.table(1, frame)
    """

    def __init__(
        self,
        name: str,
        namespace: Mapping[str, Any],
        *,
        needs: Sequence[str] = (),
        opening: Callable[..., tuple[Any, Dataset]] = Experiment.open,
        limited: bool = True,
    ):
        self.name, self.paper, self.needs = name, name.partition("/")[0], needs
        with in_one_sentence():
            self.parameters = check_given(namespace)
            self.profile = self.parameters.get("profile", "smoke")
            self.cost = self.parameters.get("cost") or self.profile
            self._plan = plan(name, self.cost)
            self.planned = plan(name, self.profile).experiments
            self.experiments = asked(self.planned, self.profile, **self._asked(limited))
        self.batch_size = self.parameters.get("batch_size", 16)
        self.store = BUILD / "results"
        self.unlabelled: set[str] = set()
        self._opening = opening
        self._opened: list[tuple[Any, Dataset]] | None = None
        self._left_out: set[str] = set()
        self._references: dict[str, ReferenceSet] = {}  # by the network's fingerprint
        self._used: dict[str, dict[str, dict]] = {}  # options, by method and network
        report.style()

    def _asked(self, limited: bool) -> dict[str, Any]:
        """The parameters that name experiments, where they are given."""
        named = [
            "network",
            "weights",
            "layer",
            "dataset",
            "root",
            *(["n_images"] if limited else []),
        ]
        return {key: self.parameters[key] for key in named if self.parameters.get(key)}

    # ------------------------------------------------------------------------------ what is run

    @property
    def as_planned(self) -> bool:
        """Whether the experiments of the profile run, and no others in their place."""
        return self.experiments == self.planned

    @property
    def opened(self) -> list[tuple[Any, Dataset]]:
        if self._opened is None:
            with in_one_sentence():
                self._check_images()
                opened = [self.open(experiment) for experiment in self.experiments]
                met = [(net, *needs.meet(net, images, self.needs)) for net, images in opened]
                if all(why for *_, why in met):
                    raise ValueError(self._refusal(met[0][-1]))
                self._opened = runnable(met)
        return self._opened

    def _check_images(self) -> None:
        """Check that a user's images meet the needs of the page, before a network is read or trained."""
        for experiment in () if self.as_planned else self.experiments:
            for need in self.needs:
                if need in needs.ANNOTATIONS:
                    images = experiment.images_at(root=self.root)
                    if why := needs.annotated(images, need)[1]:
                        raise ValueError(self._refusal(why))

    def _refusal(self, why: str) -> str:
        remedies = "; ".join(map(needs.remedy, self.needs))
        wanted = " and ".join(map(needs.said, self.needs))
        return f"this page needs {wanted}, and {why}: {remedies}"

    @property
    def root(self) -> str:
        """The folder of the images that the user gave, whatever folder this notebook runs in."""
        return str(given(root)) if (root := self.parameters.get("root")) else ""

    @property
    def paths(self) -> list[str]:
        """The existing files and folders that the parameters name."""
        named = [str(self.parameters.get(name) or "") for name in PATHS if name != "network"]
        found = [str(given(path)) for path in named if path not in ("", "random", *DATASETS)]
        return [path for path in found if Path(path).exists()]

    def open(self, experiment: Experiment, **options) -> tuple[Any, Dataset]:
        """The network and the images of an experiment.

        Args:
            options: further options of `nets.load`.

        Raises:
            ValueError: no image can be read.
        """
        weights, device = self.parameters.get("weights", ""), self.parameters.get("device", "cpu")
        how = {"weights": weights, "root": self.root, "device": device} | self._precision | options
        with in_one_sentence():
            net, images = self._opening(experiment, **how)
            if not len(images.readable(1)):
                raise ValueError(f"none of the {len(images)} images of {images.name} can be read")
        if set(images.targets) == {None} and net.num_classes:
            self.unlabelled.add(net.name)
            images = self._predicted(net, images)
        return net, images

    @property
    def _precision(self) -> dict[str, torch.dtype]:
        """Double precision where committed outputs are compared. Opti-CAM's first steps multiply differences
        in rounding, such as from another number of threads, by 100,000; in double precision they do not
        show."""
        compared = (
            self.profile == "smoke"
            and self.as_planned
            and self.parameters.get("device", "cpu") == "cpu"
        )
        return {"dtype": torch.float64} if compared else {}

    def _predicted(self, net, images: Dataset) -> Dataset:
        """The images with the classes that the network predicts."""
        readable = images.readable()
        found = {}
        for x, classes in self.batches(net, readable):
            found |= dict(zip(readable.ids[len(found) :], classes.tolist()))
        return named(net, images.relabelled(map(found.get, images.ids)))

    def beside(
        self, network: str, dataset: str, limit: int | None = None
    ) -> tuple[Any, Dataset] | None:
        """An optional network and images in addition to the planned ones. None if others run in place of the
        plan, if the limit is 0, or if the network is not available; then it prints why."""
        if not self.as_planned or limit == 0:
            return None
        try:
            net = nets.load(network, device=self.parameters.get("device", "cpu"), **self._precision)
        except (OSError, ImportError) as why:
            print(f"Not run: {why}")
            return None
        return net, load(dataset, size=net.input_size, limit=limit)

    def having(self, *needed: str) -> list[tuple[Any, Dataset]]:
        """The networks and images that meet the needs of a section; prints why it does not run on the
        others.

        Example:
            >>> for net, images in page.having("boxes"):
            ...     page.gallery(net, images, ["grad_cam"], boxes=True, name="boxes", caption="Maps.")
        """
        return runnable((net, *needs.meet(net, images, needed)) for net, images in self.opened)

    def experiment(self, net) -> Experiment:
        """The experiment for which a network was opened."""
        return next((e for e in self.experiments if e.name == net.name), self.experiments[0])

    def setting(self, name: str, net=None) -> Any:
        """The setting of a name in `profiles.yaml`, of the network's experiment or of the page.

        A parameter of the same name comes first, if the notebook has it and it is given.
        """
        if self.parameters.get(name):
            return self.parameters[name]
        own = {} if net is None else self.experiment(net).settings
        return (self._plan.settings | own)[name]

    def options(self, method: str, net=None) -> dict:
        """The options of a method on a network at the cost of the profile, with the reference images if the
        method needs them."""
        needed = net is not None and "reference images" in METHODS[method].needs
        return self._afforded(method, net) | ({"reference": self.reference(net)} if needed else {})

    def _afforded(self, method: str, net) -> dict:
        own = {} if net is None else self.experiment(net).options
        return dict((self._plan.options | own).get(method, {}))

    def reference(self, net) -> ReferenceSet:
        """The features of DiffCAM's reference images for a network: those of the parameter `reference`, a
        dataset or a folder; else the planned ones; else the images themselves."""
        if net.fingerprint not in self._references:
            with in_one_sentence():
                data = self.references(net).readable()
                found = reference_set(net, data, batch_size=self.batch_size, store=self.store)
            if net.name in self.unlabelled and len(set(data.targets)) == 1:
                found = replace(
                    found, classes=None
                )  # all of one predicted class: each has the others as references
            self._references[net.fingerprint] = found
        return self._references[net.fingerprint]

    def references(self, net) -> Dataset:
        """The reference images of a network, with the network's classes."""
        images = next(
            (images for one, images in self.opened if one.name == net.name), self.opened[0][1]
        )
        given = self.parameters.get("reference", "")
        found = self.experiment(net).references(images, given, self.root).at(images.size)
        return matched(found, net)

    def methods(self, names: Methods, net=None) -> dict[str, tuple[str, dict]]:
        """The methods that run on a network, with their options, as `evaluate` takes them.

        Args:
            names: names of methods, or variants {label: (name, options)} whose options are added to
                those of the profile.
        """
        return {
            label: (name, self.options(name, net) | own)
            for label, (name, own) in by_label(names).items()
            if self.runs(name, net)
        }

    def runs(self, method: str, net=None) -> bool:
        """Whether a method runs: it is not left out, and the network has what the method reads, such as
        attention."""
        readable = net is None or METHODS[method].runs_on(net)
        return readable and method not in self.without(net)

    def without(self, net=None) -> set[str]:
        """The methods that are left out, on this page or on a network."""
        own = () if net is None else self.experiment(net).without
        return {*self._plan.settings.get("without", ()), *own}

    def plan(self, profile: str) -> Plan:
        """The plan of a profile for this page."""
        return plan(self.name, profile)

    def methods_of(self, table: str | int, net=None) -> list[str]:
        """The methods of a table of the paper; for a network, those of the columns that it is compared with.

        Example:
            >>> page.evaluate(partial(page.methods_of, 3), ["insertion", "deletion"])
        """
        cells = report.published(self.paper, table)
        if net is not None:
            printed = [*cells["network"].unique()]
            alike = counterparts(net.name, printed, net.architecture)
            alike = alike or counterparts(
                "", printed, net.architecture
            )  # the table has no network of this kind
            cells = cells[cells["network"].isin(alike)]
        return [name for name in cells["method"].unique() if name in METHODS]

    def by_cost(
        self, methods: Mapping[str, tuple[str, dict]], net, images: Dataset
    ) -> list[tuple[dict, Dataset]]:
        """Methods with the images that they see. Methods of many passes may see fewer images, evenly spread,
        unless the user gives the number of images."""
        n = (self._plan.settings | self.experiment(net).settings).get("many_passes")
        n = None if self.parameters.get("n_images") else n
        dear = {label: m for label, m in methods.items() if n and m[0] in self._plan.many_passes}
        light = {label: m for label, m in methods.items() if label not in dear}
        both = [(light, images), (dear, fewer(images, n) if n else images)]
        return [(some, seen) for some, seen in both if some]

    @staticmethod
    def pixels(n: int, net) -> int:
        """The share that n pixels are of a 224 x 224 image, in pixels of an image of the network's size.

        Example:
            >>> page.pixels(224, nets.load("mnist_vit"))  # a row of 224 pixels
            3
        """
        return max(1, n * net.input_size**2 // 224**2)

    def batches(self, net, images: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
        """The images and their classes, see `batch`, `batch_size` at a time."""
        for start in range(0, len(images), self.batch_size):
            yield batch(net, images[start : start + self.batch_size])

    # -------------------------------------------------------------------------------- evaluation

    @property
    def how(self) -> dict[str, Any]:
        """Batch size and store, as functions of `lib.evaluate` take them."""
        return {"batch_size": self.batch_size, "store": self.store}

    @cached_property
    def executor(self) -> Executor | None:
        """The executor of the parameter `scheduler`, which stays open until the notebook ends; None for
        this process alone."""
        stack = ExitStack()
        with in_one_sentence():
            executor = stack.enter_context(workers(self.parameters.get("scheduler")))
        atexit.register(stack.close)
        return executor

    def evaluate(
        self,
        methods: Methods | Callable[[Any], Methods],
        metrics: Metrics | Callable[[Any], Metrics],
        opened: Sequence[tuple[Any, Dataset]] | None = None,
    ) -> pd.DataFrame:
        """The long frame of methods and metrics on all networks; prints once which images are left out.
        With the parameter `scheduler`, methods and images are spread over its workers.

        Args:
            methods, metrics: as `lib.evaluate` takes them, or functions of a network that return them.
            opened: networks and images in place of the page's own.
        """
        frames = []
        for net, images in self.opened if opened is None else opened:
            chosen = self.methods(methods(net) if callable(methods) else methods, net)
            self.note(net, (name for name, _ in chosen.values()))
            measured, images = self._measurable(
                metrics(net) if callable(metrics) else metrics, images
            )
            for some, seen in self.by_cost(chosen, net, images) if measured else []:
                showing = progress.of(net.name)
                how = self.how | {"progress": showing, "executor": self.executor}
                found = evaluation.evaluate(net, seen, some, measured, **how)
                frames.append(found.assign(architecture=net.architecture))
        frames = frames or [pd.DataFrame(columns=evaluation.COLUMNS)]
        frame = pd.concat(frames, ignore_index=True)
        for row in frame.dropna(subset="error").drop_duplicates("image").itertuples():
            if row.image not in self._left_out:
                print(f"left out: {row.image}: {row.error}")
        self._left_out |= {*frame.dropna(subset="error")["image"]}
        return frame

    def note(self, net, names: Iterable[str]) -> None:
        """Record for the departures that methods run with the options of the profile. Methods that the page
        evaluates or maps are recorded by themselves."""
        for name in names:
            self._used.setdefault(name, {})[net.name] = self._afforded(name, net)

    def _measurable(self, metrics: Metrics, images: Dataset) -> tuple[dict[str, Any], Dataset]:
        """The metrics whose annotations exist, and the images that have them; prints which are not run."""
        variants = metrics if isinstance(metrics, Mapping) else {name: name for name in metrics}
        measured = {}
        for label, of in variants.items():
            metric = METRICS[of if isinstance(of, str) else of[0]]
            asks = [n for n, needed in metric.given.items() if needed and n in needs.ANNOTATIONS]
            some, why = needs.meet(None, images, asks)
            if why:
                print(f"Not run: {metric.symbol}, because {why}.")
            else:
                measured[label], images = of, some
        return measured, images

    def times(
        self, methods: Methods, opened: Sequence[tuple[Any, Dataset]] | None = None
    ) -> pd.DataFrame:
        """Rows of the seconds that methods take on each network, see `lib.timing.times`.

        Args:
            methods: as for `evaluate`; or functions by label.
            opened: networks and images in place of the page's own.
        """
        frames = [pd.DataFrame(columns=evaluation.COLUMNS)]
        for net, images in self.opened if opened is None else opened:
            functions = {label: of for label, of in by_label(methods).items() if callable(of)}
            named = {label: of for label, of in by_label(methods).items() if label not in functions}
            chosen = self.methods(named, net)
            found = timing.times(net, images.readable(1), chosen | functions)
            frames.append(found.assign(architecture=net.architecture))
        return pd.concat(frames[1:] or frames, ignore_index=True)

    def maps(self, net, images: Dataset, method: str, **options) -> Tensor:
        """The saliency maps (N, H, W) of images; maps that a table already used are not computed again.

        Args:
            options: of the method, added to those of the profile, and of `evaluate.saliency_maps`.
        """
        self.note(net, [method])
        options = self.options(method, net) | options
        return evaluation.saliency_maps(net, images, method, **self.how, **options)

    def similarity(
        self,
        methods: Methods,
        reference: Methods | Callable[[Any], Methods],
        opened: Sequence[tuple[Any, Dataset]] | None = None,
    ) -> pd.DataFrame:
        """The long frame of `lib.evaluate.similarity`, between coefficients and a reference, on all networks.

        Args:
            reference: the reference, or a function of a network that returns it.
            opened: networks and images in place of the page's own.
        """
        frames = [pd.DataFrame(columns=evaluation.COLUMNS)]
        for net, images in self.opened if opened is None else opened:
            truth = reference(net) if callable(reference) else reference
            chosen = self.methods(methods, net)
            self.note(net, (name for name, _ in chosen.values()))
            found = evaluation.similarity(net, images, chosen, truth, **self.how)
            frames.append(found.assign(architecture=net.architecture))
        return pd.concat(frames[1:] or frames, ignore_index=True)

    def rows(
        self,
        net,
        images: Dataset,
        values: Mapping[tuple[str, str], Iterable[float]],
        seconds: float | Iterable[float] = math.nan,
    ) -> pd.DataFrame:
        """Values that a page measured by itself, as rows of `evaluate`; see `lib.evaluate.as_frame`.

        Args:
            values: one number per image, by method and metric.
            seconds: for the map of each image.

        Example:
            >>> page.rows(net, images, {("grad_cam", "correlation"): correlation(M, N)})
        """
        found = evaluation.as_frame(net, images, values, seconds)
        return found.assign(architecture=net.architecture)

    # --------------------------------------------------------------------------------- reporting

    def table(self, table: str | int, frame: pd.DataFrame, **options) -> report.Table:
        """A table of the paper with our numbers beside it; options as of `report.comparison`."""
        return report.comparison(self.paper, table, frame, **options)

    def verdicts(self, frame: pd.DataFrame, *places: str) -> report.Table:
        """The claims that the paper makes in these places, with their verdicts."""
        return report.claims_table(report.claims(self.paper, *places), frame)

    def forest(
        self,
        compared: pd.DataFrame,
        *best: str,
        name: str,
        title: str,
        here: str = "means here",
        printed: str = "for ImageNet",
        said: str = "",
    ) -> None:
        """Show a table of the paper as a picture; caption and alternative text name the best methods.

        Args:
            compared: the frame of a table, or the rows of it that are shown.
            best: the metrics whose best methods the text names.
            title: the name of the table in the caption.
            here: the meaning of our markers, such as "means over 20 photographs".
            printed: the setting of the paper's values, such as "for ImageNet".
            said: more text for caption and alternative text, or in place of the best methods.
        """
        metrics = [metric for metric in compared["metric"].unique() if metric != "seconds"]
        told = [report.leaders(compared, metric) for metric in best] + ([said] if said else [])
        found = "; ".join(filter(None, told))
        report.show(
            report.forest(compared),
            name=name,
            alt=f"{report.symbols(metrics)} of each method, as measured here with 95 % intervals and as printed: "
            f"{found}.",
            caption=f"{title} as a picture: filled markers are {here} with their 95 % intervals"
            + (
                f", hollow markers are the printed values {printed}."
                if any(compared["paper"])
                else "."
            )
            + (f" {found[0].upper()}{found[1:]}." if found else ""),
            data=report.plain(compared),
        )

    def gallery(
        self,
        net,
        images: Dataset,
        methods: Iterable[str] | Mapping[str, Sequence],
        *,
        name: str,
        caption: str,
        alt: str = "",
        titles: Sequence[str] | None = None,
        columns: int = 4,
        signed: bool = False,
        boxes: bool = False,
    ) -> None:
        """Show images under the maps of several methods.

        Args:
            methods: names, of which those that do not run are left out; or maps by title.
            alt: by default it names the methods and the labels of the images.
            titles: the title above each image; by default its label.
            boxes: whether the boxes of the images are outlined in every panel.
        """
        if not isinstance(methods, Mapping):
            names = self.methods(methods, net)
            methods = {METHODS[m].title: self.maps(net, images, m) for m in names}
        titles = images.labels if titles is None else titles
        alt = (
            alt
            or "Saliency maps of "
            + ", ".join(methods)
            + " for images of "
            + ", ".join(titles)
            + "."
        )
        figure = report.gallery(
            [sample.image for sample in images], methods, titles, columns=columns, signed=signed
        )
        for block, sample in zip(figure.subfigs, images) if boxes else []:
            for panel in block.axes[: 1 + len(methods)]:
                report.draw_boxes(panel, sample.boxes, edgecolor="#40e0d0", linewidth=1.5)
        report.show(figure, name=name, alt=alt, caption=caption)

    def protocol(self) -> report.Box:
        """The box "What runs here", which a page shows first."""
        return report.protocol(self)

    def departures(self) -> report.Box:
        """The box of departures from the published setting, which is the profile `paper`."""
        return report.departures(self, self._used)

    def folder(self, name: str) -> Path:
        """A folder for files that the page offers."""
        return BUILD / name / self.profile

    def provenance(self) -> report.Provenance:
        """The footer: commit, parameters, versions, device, time."""
        return report.provenance(**self.parameters)


def by_label(methods: Methods) -> Mapping[str, Any]:
    """Methods as {label: (name, options)}."""
    return methods if isinstance(methods, Mapping) else {name: (name, {}) for name in methods}


def fewer(images: Dataset, n: int) -> Dataset:
    """At most n of the images, evenly spread, as a limit of n would choose them."""
    return images.subset(spread(len(images), n))


def runnable(met: Iterable[tuple[Any, Dataset, str]]) -> list[tuple[Any, Dataset]]:
    """The networks and images without a reason not to run; prints the reasons of the others."""
    found = []
    for net, images, why in met:
        if why:
            print(f"Not run: {why}.")
        else:
            found.append((net, images))
    return found


def named(net, images: Dataset) -> Dataset:
    """The images with the class names of the network, if it has any."""
    names = tuple(name.partition(",")[0] for name in net.classes) if net.classes else images.classes
    return replace(images, classes=names)


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """For a wrong input, show only the sentence of the error in the notebook, without a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        said = str(error)
        error._render_traceback_ = lambda: [said]
        raise


@torch.no_grad()
def batch(net, images: Dataset) -> tuple[Tensor, Tensor]:
    """Images x (B, 3, H, W) on the network's device, and their classes (B,): the labels; without labels the
    predicted classes; or `NO_CLASS` if the network predicts none."""
    x = torch.stack([sample.image for sample in images]).to(net.device, net.dtype)
    if None in images.targets:
        return x, predict(net, x) if net.num_classes else x.new_full(
            (len(x),), NO_CLASS, dtype=torch.long
        )
    return x, torch.tensor(images.targets, device=net.device)
