"""XMP packets as different programs write them, and photos that hold them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from faceie.metadata.rdf import Properties
from faceie.metadata.xmp import parse_xml

NAMESPACES = (
    ' xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"'
    ' xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"'
    ' xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
    ' xmlns:MP="http://ns.microsoft.com/photo/1.2/"'
    ' xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"'
    ' xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"'
    ' xmlns:acdsee="http://ns.acdsee.com/iptc/1.0/"'
    ' xmlns:acdsee-rs="http://ns.acdsee.com/regions/"'
    ' xmlns:acdsee-stArea="http://ns.acdsee.com/sType/Area#"'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:lr="http://ns.adobe.com/lightroom/1.0/"'
    ' xmlns:digiKam="http://www.digikam.org/ns/1.0/"'
    ' xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"'
    ' xmlns:mediapro="http://ns.iview-multimedia.com/mediapro/1.0/"'
    ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"'
)

Box = Sequence[float]  # center x, center y, width, height


def packet(inside: str, attributes: str = "") -> bytes:
    """Return a packet with these properties."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{NAMESPACES} {attributes}>{inside}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta>\n   \n<?xpacket end="w"?>'
    ).encode()


def properties(inside: str, attributes: str = "") -> Properties:
    return Properties([parse_xml(packet(inside, attributes))])


def bag(items: Iterable[str], kind: str = "Bag") -> str:
    return f"<rdf:{kind}>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:{kind}>"


def mwg(items: Iterable[str], dimensions: str = "", kind: str = "Bag") -> str:
    """Return MWG regions, each given as an ``rdf:li``."""
    return (
        f'<mwg-rs:Regions rdf:parseType="Resource">{dimensions}'
        f"<mwg-rs:RegionList><rdf:{kind}>{''.join(items)}</rdf:{kind}></mwg-rs:RegionList></mwg-rs:Regions>"
    )


def applied(width: float, height: float, unit: str = "pixel") -> str:
    return f'<mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="{unit}"/>'


def attributes(box: Box, unit: str = ' stArea:unit="normalized"') -> str:
    x, y, w, h = box
    return f'stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}"{unit}'


def as_lightroom(name: str, box: Box, kind: str = "Face") -> str:
    """Attributes in a nested description; digiKam and Apple write so, too."""
    return (
        f'<rdf:li><rdf:Description mwg-rs:Name="{name}" mwg-rs:Type="{kind}">'
        f"<mwg-rs:Area {attributes(box)}/></rdf:Description></rdf:li>"
    )


def as_exiftool(name: str, box: Box, kind: str = "Face") -> str:
    """Elements under ``parseType="Resource"``; osxphotos writes so, too."""
    x, y, w, h = box
    return (
        '<rdf:li rdf:parseType="Resource"><mwg-rs:Area rdf:parseType="Resource">'
        f"<stArea:h>{h}</stArea:h><stArea:unit>normalized</stArea:unit><stArea:w>{w}</stArea:w>"
        f"<stArea:x>{x}</stArea:x><stArea:y>{y}</stArea:y></mwg-rs:Area>"
        f"<mwg-rs:Name>{name}</mwg-rs:Name><mwg-rs:Type>{kind}</mwg-rs:Type></rdf:li>"
    )


def mixed(name: str, box: Box, kind: str = "Face") -> str:
    """Elements, with an area of attributes."""
    return (
        f'<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{name}</mwg-rs:Name><mwg-rs:Type>{kind}</mwg-rs:Type>'
        f"<mwg-rs:Area {attributes(box)}/></rdf:li>"
    )


def microsoft(*faces: tuple[str, Box]) -> str:
    """Return Microsoft's regions: left, top, width, height."""
    items = "".join(
        f'<rdf:li MPReg:PersonDisplayName="{name}" MPReg:Rectangle="{", ".join(map(str, box))}"/>'
        for name, box in faces
    )
    regions = f"<MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions>"
    return f'<MP:RegionInfo rdf:parseType="Resource">{regions}</MP:RegionInfo>'


# Photos


def photo(path: Path, xmp: bytes | None = None, size: tuple[int, int] = (64, 48), orientation: int = 1) -> Path:
    """Save a gray photo with a packet. `size` is the stored one."""
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    options: dict[str, Any] = {}
    if xmp and path.suffix == ".png":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp and path.suffix == ".tif":
        options["tiffinfo"] = {700: xmp, **({274: orientation} if orientation != 1 else {})}
    elif xmp and path.suffix != ".jpg":
        options["xmp"] = xmp
    if "tiffinfo" not in options:
        options["exif"] = exif
    Image.new("RGB", size, "gray").save(path, **options)
    return insert_segments(path, XMP + xmp) if xmp and path.suffix == ".jpg" else path


def with_segments(path: Path, *segments: bytes) -> Path:
    """Save a gray JPEG with these segments APP1."""
    return insert_segments(photo(path), *segments)


def insert_segments(path: Path, *segments: bytes) -> Path:
    """Insert segments APP1 into a JPEG. Pillow can do so from version 11 only."""
    content = path.read_bytes()
    extra = b"".join(b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments)
    path.write_bytes(content[:2] + extra + content[2:])
    return path


XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def extended(
    path: Path, main: bytes, extension: bytes, guid: bytes = b"0123456789ABCDEF" * 2, part: int = 60000
) -> Path:
    """Save a JPEG whose packet has an extension, in parts, the last one first."""
    parts = [
        EXTENSION + guid + struct.pack(">II", len(extension), start) + extension[start : start + part]
        for start in range(0, len(extension), part)
    ]
    return with_segments(path, XMP + main, *reversed(parts))
