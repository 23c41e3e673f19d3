"""Images as models take them."""

from pathlib import Path

from PIL import Image


def open_image(path: Path) -> Image.Image:
    """The image in RGB, decoded."""
    with Image.open(path) as image:
        return image.convert("RGB")
