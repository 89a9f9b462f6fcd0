"""A user's own image, turned upright, with the user's boxes and mask."""

import hashlib
from dataclasses import dataclass

from PIL import Image

from .image_file import MAJORITY, ImageFile, decode, read_mask


@dataclass(frozen=True)
class OwnImage(ImageFile):
    """An image file that is turned upright by the camera's orientation tag.

    Boxes and mask are in the frame of the upright image and are checked against it on decoding.
    """

    def decoded(self) -> Image.Image:
        image = decode(self.path, upright=True)
        for x0, y0, x1, y1 in self.boxes or ():
            if min(x0, y0) < -1 or x1 > image.width + 1 or y1 > image.height + 1:
                raise ValueError(
                    f"the box {x0:g},{y0:g},{x1:g},{y1:g} of {self.path} reaches out of the "
                    f"image, which is {image.width} x {image.height} pixels: give it in pixels of "
                    "the file, not of another size"
                )
        return image

    def silhouette(self, image: Image.Image) -> Image.Image | None:
        grey = None if self.mask is None else read_mask(self.mask, image, upright=True)
        brightest = MAJORITY if grey is None else grey.getextrema()[1]
        if 0 < brightest < MAJORITY:
            raise ValueError(
                f"the mask {self.mask} shows no object, as its brightest pixel is {brightest}: "
                "paint the object white (255), all else black (0)"
            )
        return grey

    def content(self) -> str:
        return hashlib.sha256(f"upright {super().content()}".encode()).hexdigest()
