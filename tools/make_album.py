"""Make the photos of examples/photos/more from those of examples/photos: copies, edits and damage, as in an album.

    python tools/make_album.py

The same people edited, rotated and together, and two damaged files.
"""

from pathlib import Path

from PIL import Image, ImageEnhance

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"
MORE = PHOTOS / "more"
HEIGHT = 480


def main() -> None:
    MORE.mkdir(exist_ok=True)
    opened = {path.stem: Image.open(path).convert("RGB") for path in PHOTOS.glob("*.jpg")}
    astronaut, biden, obama = opened["astronaut"], opened["biden"], opened["obama-standing"]

    save(ImageEnhance.Contrast(biden.convert("L")).enhance(1.3), "biden-gray")
    save(astronaut.crop((80, 0, 400, 320)).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "astronaut-mirrored")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored rotated to the left, to be shown rotated to the right
    save(astronaut.resize((380, 380)).transpose(Image.Transpose.ROTATE_90), "astronaut-turned", exif=exif)
    left, right = (image.resize((round(image.width * HEIGHT / image.height), HEIGHT)) for image in (biden, obama))
    both = Image.new("RGB", (left.width + right.width, HEIGHT))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    save(both, "biden-and-obama")
    (MORE / "broken.jpg").write_bytes((PHOTOS / "astronaut.jpg").read_bytes()[:3000])
    (MORE / "no-photo.jpg").write_text("This is a text, whatever its name says.\n")


def save(image: Image.Image, name: str, **options: object) -> None:
    image.thumbnail((900, HEIGHT))
    image.save(MORE / f"{name}.jpg", quality=80, **options)


if __name__ == "__main__":
    main()
