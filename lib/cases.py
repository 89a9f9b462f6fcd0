"""A network with the images that a page shows it."""

from dataclasses import dataclass

from . import data, nets


@dataclass(frozen=True)
class Case:
    """A network cut at a layer, and a dataset.

    Attributes:
        network, layer: as for `nets.load`; an empty layer is the default.
        dataset: as for `data.load`.
        n: at most so many images; None for all.
        title: the label in tables; by default the network's name, with the dataset's where the
            network is trained on it.

    Example:
        >>> net, images = Case("tf_efficientnet_lite0", "imagenet_embedded").open()
    """

    network: str
    dataset: str
    layer: str = ""
    n: int | None = None
    title: str = ""

    def open(
        self, *, weights: str = "", root: str = "", device: str = "cpu"
    ) -> tuple[nets.Classifier, data.Dataset]:
        """The network under its title, and its images at its own size."""
        options = {"weights": weights or None, "layer": self.layer or None, "device": device}
        net = nets.load(self.network, **options)
        suffix = f", {self.dataset}" if self.dataset in ("voc", "coco") else ""
        net.name = self.title or self.network + suffix
        images = data.load(self.dataset, root=root or None, limit=self.n, size=net.input_size)
        return net, images
