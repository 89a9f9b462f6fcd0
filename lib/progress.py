"""How far an evaluation is: a bar on the terminal, or a function that is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Told = Callable[[str, int, int], None]  # takes the method's label, images done, and all of them


class Progress:
    """Images explained, of those of all methods together; closed by `with`.

    Args:
        title: what the bar is of.
        total: methods x images.
        shown: a bar, or none; None shows one if it is on a terminal; or a function that is called
            as `shown(label, done, total)` at each advance instead.
    """

    def __init__(self, title: str, total: int, shown: bool | Told | None = None):
        self.done, self.total = 0, total
        self._tell = shown if callable(shown) else None
        hidden = True if self._tell else None if shown is None else not shown
        self._bar = tqdm(total=total, unit=" image", desc=title, disable=hidden)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    @contextmanager
    def part(self, label: str, images: int) -> Iterator[Callable[[int], None]]:
        """A method's share: gives the function to call with the number of images just done; those
        that it is not told of, such as unreadable ones, count at the end."""
        end = self.done + images
        self._bar.set_postfix_str(label)

        def advance(images: int) -> None:
            # A map that is made for two classes is told of twice.
            images = min(images, end - self.done)
            if images:
                self.done += images
                self._bar.update(images)
                if self._tell:
                    self._tell(label, self.done, self.total)

        yield advance
        advance(end - self.done)
