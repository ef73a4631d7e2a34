"""All lists of names in XMP, read without any of Faceie's code, and those that Faceie is expected to write."""

from __future__ import annotations

from xml.etree import ElementTree

from faceie.metadata.merge import NamedFace

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}"
AREA = "{http://ns.adobe.com/xmp/sType/Area#}"
REGION = "{http://ns.microsoft.com/photo/1.2/t/Region#}"
TEXTS = {
    "PersonInImage": "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}PersonInImage",
    "subject": "{http://purl.org/dc/elements/1.1/}subject",
    "hierarchicalSubject": "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject",
    "TagsList": "{http://www.digikam.org/ns/1.0/}TagsList",
}


def read(content: bytes | None) -> dict[str, list[object]]:
    """Read all lists of names, independently of Faceie's code. Areas are rounded to 4 digits."""
    assert content is not None
    root = ElementTree.fromstring(content)
    regions: list[object] = []
    for item in root.iter(f"{MWG}RegionList"):
        for region in item.iter(f"{RDF}li"):
            fields = {key: value for one in region.iter() for key, value in [*one.attrib.items(), (one.tag, one.text)]}
            x, y, w, h = (float(fields[AREA + side] or "") for side in "xywh")
            area = tuple(round(value, 4) for value in (x - w / 2, y - h / 2, x + w / 2, y + h / 2))
            regions.append((fields.get(f"{MWG}Name"), area))
    microsoft: list[object] = []
    for region in root.iter():
        fields = {**{child.tag: child.text for child in region}, **region.attrib}
        if rectangle := fields.get(f"{REGION}Rectangle"):
            x, y, w, h = map(float, rectangle.split(","))
            area = tuple(round(value, 4) for value in (x, y, x + w, y + h))
            microsoft.append((fields.get(f"{REGION}PersonDisplayName"), area))
    found: dict[str, list[object]] = {"regions": regions, "microsoft": microsoft}
    for key, tag in TEXTS.items():
        found[key] = [item.text for one in root.iter(tag) for item in one.iter(f"{RDF}li")]
    return found


def written(*faces: NamedFace) -> dict[str, list[object]]:
    """Return what `read` finds for faces in an upright photo."""
    areas: list[object] = [(face.name, face.area) for face in faces]
    names = [face.name for face in faces]
    return {
        "regions": areas,
        "microsoft": areas,
        "PersonInImage": [*names],
        "subject": [*names],
        "hierarchicalSubject": [f"People|{name}" for name in names],
        "TagsList": [f"People/{name}" for name in names],
    }
