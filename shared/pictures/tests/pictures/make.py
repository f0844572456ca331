"""Makes the HEIC and AVIF pictures of the tests, for which there is no encoder in Rust under a licence that is allowed here.

python3 -m venv /tmp/venv && /tmp/venv/bin/pip install pillow==13.* pillow-heif==1.8.* && /tmp/venv/bin/python make.py
"""

from pathlib import Path

import pillow_heif
from PIL import Image

HERE = Path(__file__).parent
COLOURS = [(220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 210, 30)]
WIDTH, HEIGHT = 64, 32
pillow_heif.register_heif_opener()


def quarters():
    """Returns a picture with red, green, blue and yellow in its quarters."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for place, colour in enumerate(COLOURS):
        area = (place % 2 * WIDTH // 2, place // 2 * HEIGHT // 2)
        picture.paste(colour, (*area, area[0] + WIDTH // 2, area[1] + HEIGHT // 2))
    return picture


def transparent():
    """Returns the same, transparent in its right half."""
    picture = quarters().convert("RGBA")
    picture.paste((0, 0, 0, 0), (WIDTH // 2, 0, WIDTH, HEIGHT))
    return picture


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = "Maker"
    return block


# How the pixels of each orientation are stored: the inverse of the turn that a viewer makes.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

for orientation, stored in STORED.items():
    picture = quarters() if stored is None else quarters().transpose(stored)
    picture.save(HERE / f"orientation-{orientation}.avif", quality=90, speed=8, exif=exif(orientation))
quarters().save(HERE / "full.avif", quality=90, speed=8, subsampling="4:4:4")
quarters().convert("L").save(HERE / "grey.avif", quality=90, speed=8, subsampling="4:0:0")
quarters().save(HERE / "limited.avif", quality=90, speed=8, range="limited", subsampling="4:2:2")
transparent().save(HERE / "transparent.avif", quality=90, speed=8)
frames = [quarters(), quarters().transpose(Image.Transpose.ROTATE_180)]
frames[0].save(HERE / "animation.avif", quality=60, speed=8, save_all=True, append_images=frames[1:], duration=100)

quarters().save(HERE / "plain.heic", quality=90)
turned = quarters().transpose(Image.Transpose.ROTATE_90)
# The encoder turns this orientation into a property of the container …
turned.info["exif"] = exif(6).tobytes()
turned.save(HERE / "turned.heic", quality=90)
# … and leaves this one in EXIF alone, where viewers ignore it.
quarters().save(HERE / "exif.heic", quality=90, exif=exif(6))
transparent().save(HERE / "transparent.heic", quality=90)
