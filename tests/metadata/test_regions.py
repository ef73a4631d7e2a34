"""Regions and names in XMP, in all shapes in which programs write them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from faceie import MetadataError
from faceie.metadata.regions import Region, read_names, read_regions

from . import packets
from .packets import applied, as_exiftool, as_lightroom, bag, microsoft, mixed, mwg, properties

SIZE = (4000, 2000)
BOX = (0.4, 0.5, 0.2, 0.3)  # of MWG: center and size
AREA = (0.3, 0.35, 0.5, 0.65)


def regions(inside: str, size: tuple[int, int] = SIZE) -> list[Region]:
    return read_regions(properties(inside), size)


def one(inside: str, size: tuple[int, int] = SIZE) -> tuple[float, ...]:
    """Return the area of the only region."""
    ((_, area),) = regions(inside, size)
    return tuple(round(side, 6) for side in area)


def area(fields: str, more: str = "", dimensions: str = "") -> str:
    """Return a region of MWG with these fields of its area."""
    item = f'<rdf:li><rdf:Description mwg-rs:Name="Anna" mwg-rs:Type="Face" {more}><mwg-rs:Area {fields}/>'
    return mwg([f"{item}</rdf:Description></rdf:li>"], dimensions)


@pytest.mark.parametrize("kind", ["Bag", "Seq"])
@pytest.mark.parametrize("shape", [as_lightroom, as_exiftool, mixed])
def test_all_shapes_of_xml(shape: Callable[..., str], kind: str) -> None:
    """Attributes or elements, nested or not, in any list: the same regions."""
    found = regions(mwg([shape("Anna", BOX), shape("Ben", (0.8, 0.5, 0.1, 0.1))], applied(4000, 2000), kind))
    assert [region.name for region in found] == ["Anna", "Ben"]
    assert found[0].area == pytest.approx(AREA)


def test_other_namespaces_of_the_fields() -> None:
    """Some programs write another namespace for dimensions, and Microsoft's without its slash."""
    text = packets.packet(area('stArea:x="1600" stArea:y="1000" stArea:w="800" stArea:h="600" stArea:unit="pixel"',
                               dimensions=applied(4000, 2000))).decode()  # fmt: skip
    text = text.replace("http://ns.adobe.com/xap/1.0/sType/Dimensions#", "http://ns.adobe.com/xmp/sType/Dimensions#")
    found = read_regions(packets.Properties([packets.parse_xml(text.encode())]), (2000, 1000))
    assert found[0].area == pytest.approx(AREA)


@pytest.mark.parametrize(
    ("fields", "dimensions"),
    [
        (packets.attributes(BOX, unit=""), ""),  # Lightroom Classic 11
        (packets.attributes(BOX, unit=""), "<mwg-rs:AppliedToDimensions/>"),
        (packets.attributes(BOX), applied(2000, 4000)),  # of the upright photo
        (packets.attributes((1600, 1000, 800, 600), ' stArea:unit="pixel"'), applied(4000, 2000)),
        (packets.attributes((1600, 1000, 800, 600), ' stArea:unit="pixel"'), applied(2000, 4000)),
        (packets.attributes((1600, 1000, 800, 600), ' stArea:unit="pixels"'), ""),
        (packets.attributes((160, 100, 80, 60), ' stArea:unit="pixel"'), applied(400, 200)),  # of a smaller version
    ],
)
def test_units_and_dimensions(fields: str, dimensions: str) -> None:
    """Dimensions matter for pixels only, whichever way round they are."""
    assert one(area(fields, dimensions=dimensions)) == AREA


def test_circles() -> None:
    """The diameter of a circle is a share of the shorter side."""
    circle = 'stArea:x="0.5" stArea:y="0.5" stArea:d="0.2"'
    assert one(area(circle)) == (0.45, 0.4, 0.55, 0.6)
    assert one(area(circle), (2000, 4000)) == (0.4, 0.45, 0.6, 0.55)
    pixels = 'stArea:x="2000" stArea:y="1000" stArea:d="400" stArea:unit="pixel"'
    assert one(area(pixels, dimensions=applied(4000, 2000))) == (0.45, 0.4, 0.55, 0.6)


def test_rotation() -> None:
    """Lightroom's right angles are those of the photo. Of other angles, the upright box around the face counts."""
    for angle in (0, -1.5708, 1.5708, 3.14159, "broken"):
        assert one(area(packets.attributes(BOX), f'mwg-rs:Rotation="{angle}"')) == pytest.approx(AREA, abs=1e-4)
    tilted = one(
        area(packets.attributes((0.5, 0.5, 0.1, 0.2)), 'mwg-rs:Rotation="-0.785398"')
    )  # a square of 400 pixels
    assert tilted == pytest.approx((0.5 - 0.0707, 0.5 - 0.1414, 0.5 + 0.0707, 0.5 + 0.1414), abs=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        'stArea:x="0" stArea:y="0" stArea:w="8" stArea:h="8"',  # of the test files of exiftool
        'stArea:x="0.5" stArea:y="0.5"',
        'stArea:x="0.5" stArea:w="0.1" stArea:h="0.1"',
        'stArea:x="nan" stArea:y="0.5" stArea:w="0.1" stArea:h="0.1"',
        'stArea:x="0.5" stArea:y="inf" stArea:w="0.1" stArea:h="0.1"',
        'stArea:x="left" stArea:y="0.5" stArea:w="0.1" stArea:h="0.1"',
        'stArea:x="0.5" stArea:y="0.5" stArea:w="0" stArea:h="0.1"',
        'stArea:x="0.5" stArea:y="0.5" stArea:w="-0.1" stArea:h="0.1"',
        'stArea:x="5" stArea:y="0.5" stArea:w="0.1" stArea:h="0.1"',
        "",
    ],
)
def test_nonsense_is_left_out(fields: str) -> None:
    """An area that makes no sense is left out, and the others stay."""
    assert regions(area(fields)) == []
    inside = mwg([f'<rdf:li><rdf:Description mwg-rs:Name="X" mwg-rs:Type="Face"><mwg-rs:Area {fields}/>'
                  "</rdf:Description></rdf:li>", mixed("Anna", BOX)])  # fmt: skip
    assert [region.name for region in regions(inside)] == ["Anna"]


def test_areas_are_cut_at_the_border() -> None:
    assert one(area(packets.attributes((0.02, 0.5, 0.2, 0.2)))) == (0, 0.4, 0.12, 0.6)
    assert one(area('stArea:x="0,4" stArea:y="0,5" stArea:w="0,2" stArea:h="0,3"')) == AREA  # decimal commas


@pytest.mark.parametrize("shape", [as_lightroom, as_exiftool, mixed])
def test_only_named_people(shape: Callable[..., str]) -> None:
    """Unnamed faces, pets, focus points and barcodes are left out; an unnamed face ends nothing."""
    items = [shape("", BOX), shape("Rex", BOX, "Pet"), shape("", BOX, "Focus"), shape("123", BOX, "BarCode")]
    found = regions(mwg([*items, '<rdf:li rdf:parseType="Resource"/>', shape("Anna", BOX)]))
    assert [region.name for region in found] == ["Anna"]


def test_fields_with_the_name() -> None:
    """A name may be in Title, in an extension, or in the field that a region refers to."""
    shape = f"<mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area {packets.attributes(BOX)}/></rdf:li>"
    start = '<rdf:li rdf:parseType="Resource">'
    inside = mwg(
        [
            f"{start}<mwg-rs:Title>Title</mwg-rs:Title>{shape}",
            f'{start}<rdfs:seeAlso rdf:resource="Iptc4xmpExt:PersonInImage"/>{shape}',
            f"{start}<mwg-rs:Extensions><Iptc4xmpExt:PersonInImage>{bag(['Extension'])}</Iptc4xmpExt:PersonInImage>"
            f"</mwg-rs:Extensions>{shape}",
        ]
    )
    referred = f"<Iptc4xmpExt:PersonInImage>{bag(['Referred'])}</Iptc4xmpExt:PersonInImage>"
    assert [region.name for region in regions(inside + referred)] == ["Title", "Referred", "Extension"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Bj\u00f6rk &amp; Co", "Bj\u00f6rk & Co"),
        ("Bj\u00f6rk &amp;amp; Co", "Bj\u00f6rk & Co"),
        ("Zo&amp;#235;", "Zo\u00eb"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("  Anna \n Lena ", "Anna Lena"),
        ("An\u0001na", "Anna"),
        ("An&#x1;na", "Anna"),
        ("\u202eAnna\u202c", "Anna"),
        ("\u674e\u5c0f\u9f99 \U0001f600", "\u674e\u5c0f\u9f99 \U0001f600"),
    ],
)
def test_odd_letters(written: str, name: str) -> None:
    """Entities that are escaped twice are decoded, characters that cannot be seen are dropped."""
    assert [region.name for region in regions(mwg([as_exiftool(written, BOX)]))] == [name]


def test_a_name_of_megabytes() -> None:
    """A text that is much longer than any name is left out, in no time."""
    assert regions(mwg([as_exiftool("a" * 10_000_000, BOX)])) == []


def test_microsoft_counts_without_mwg() -> None:
    """Microsoft's regions are read where no program has written MWG's; faces that were ignored have no name."""
    inside = microsoft(
        ("Anna", (0.3, 0.35, 0.2, 0.3)), ("ffffffffffffffff", (0.1, 0.1, 0.1, 0.1)), ("", (0, 0, 0.1, 0.1))
    )
    assert regions(inside) == [("Anna", pytest.approx(AREA))]
    assert [region.name for region in regions(inside + mwg([mixed("Ben", BOX)]))] == ["Ben"]
    assert [region.name for region in regions(inside + mwg([mixed("", BOX)]))] == ["Anna"]  # an iPhone's, unnamed
    for rectangle in ("0.1, 0.2, 0.3", "a, b, c, d", "", "0.1,0.2,0.3,0.4,0.5"):
        assert regions(inside.replace("0.3, 0.35, 0.2, 0.3", rectangle)) == []


def iptc(boundary: str, person: str = "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Anna</rdf:li></rdf:Bag>"
         "</Iptc4xmpExt:PersonInImage>") -> str:  # fmt: skip
    fields = "".join(
        f"<Iptc4xmpExt:{key}>{value}</Iptc4xmpExt:{key}>"
        for key, value in (pair.split("=") for pair in boundary.split())
    )
    return (
        '<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:RegionBoundary '
        f'rdf:parseType="Resource">{fields}</Iptc4xmpExt:RegionBoundary>{person}</rdf:li></rdf:Bag></Iptc4xmpExt:ImageRegion>'
    )


def test_regions_of_the_iptc() -> None:
    """A rectangle by its corner, a circle by its center, in shares or in pixels."""
    assert one(iptc("rbShape=rectangle rbUnit=relative rbX=0.3 rbY=0.35 rbW=0.2 rbH=0.3")) == AREA
    assert one(iptc("rbShape=rectangle rbUnit=pixel rbX=1200 rbY=700 rbW=800 rbH=600")) == AREA
    assert one(iptc("rbShape=circle rbUnit=relative rbX=0.5 rbY=0.5 rbRx=0.1")) == (0.4, 0.3, 0.6, 0.7)
    assert one(iptc("rbShape=circle rbUnit=pixel rbX=2000 rbY=1000 rbRx=400")) == (0.4, 0.3, 0.6, 0.7)
    vertices = "<Iptc4xmpExt:rbVertices><rdf:Seq>" + "".join(
        f'<rdf:li rdf:parseType="Resource"><Iptc4xmpExt:rbX>{x}</Iptc4xmpExt:rbX>'
        f"<Iptc4xmpExt:rbY>{y}</Iptc4xmpExt:rbY></rdf:li>"
        for x, y in ((0.3, 0.4), (0.4, 0.35), (0.5, 0.5), (0.4, 0.65))
    ) + "</rdf:Seq></Iptc4xmpExt:rbVertices>"  # fmt: skip
    polygon = iptc("rbShape=polygon rbUnit=relative").replace(
        "</Iptc4xmpExt:RegionBoundary>", f"{vertices}</Iptc4xmpExt:RegionBoundary>"
    )
    assert one(polygon) == AREA
    named = "<Iptc4xmpExt:Name><rdf:Alt><rdf:li xml:lang='x-default'>Anna</rdf:li></rdf:Alt></Iptc4xmpExt:Name>"
    assert one(iptc("rbX=0.3 rbY=0.35 rbW=0.2 rbH=0.3", named)) == AREA
    animal = '<rdf:li rdf:parseType="Resource"><Iptc4xmpExt:Name>animal</Iptc4xmpExt:Name></rdf:li>'
    kind = f"<Iptc4xmpExt:rCtype><rdf:Bag>{animal}</rdf:Bag></Iptc4xmpExt:rCtype>"
    assert regions(iptc("rbX=0.3 rbY=0.35 rbW=0.2 rbH=0.3", named + kind)) == []


def test_regions_of_acdsee() -> None:
    """The area that the user has drawn counts, else the one that the program has found."""

    def acdsee(name: str, more: str, *areas: tuple[str, packets.Box]) -> str:
        inside = "".join(
            f'<acdsee-rs:{kind} acdsee-stArea:x="{x}" acdsee-stArea:y="{y}" '
            f'acdsee-stArea:w="{w}" acdsee-stArea:h="{h}"/>'
            for kind, (x, y, w, h) in areas
        )
        return f'<rdf:li><rdf:Description acdsee-rs:Name="{name}" {more}>{inside}</rdf:Description></rdf:li>'

    face = 'acdsee-rs:Type="Face"'
    items = [
        acdsee("Anna", face, ("ALGArea", (0.8, 0.8, 0.1, 0.1)), ("DLYArea", BOX)),
        acdsee("Ben", face, ("ALGArea", (0.8, 0.8, 0.1, 0.1))),
        acdsee("Chair", 'acdsee-rs:Type="Object"', ("DLYArea", BOX)),
        acdsee("Denied", face + ' acdsee-rs:NameAssignType="denied"', ("DLYArea", BOX)),
        acdsee("", face, ("DLYArea", BOX)),
    ]
    inside = mwg(items).replace("mwg-rs:", "acdsee-rs:")
    found = regions(inside)
    assert [region.name for region in found] == ["Anna", "Ben"]
    assert found[0].area == pytest.approx(AREA)


def test_names_without_regions() -> None:
    """PersonInImage, and keywords below People in the fields of six programs."""
    people = f"<Iptc4xmpExt:PersonInImage>{bag(['Anna', 'Anna'])}</Iptc4xmpExt:PersonInImage>"
    details = (
        '<Iptc4xmpExt:PersonInImageWDetails><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:PersonName><rdf:Alt>'
        "<rdf:li xml:lang='x-default'>Ben</rdf:li></rdf:Alt></Iptc4xmpExt:PersonName></rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:PersonInImageWDetails>"
    )
    assert read_names(properties(people + details)) == ["Anna", "Ben"]
    for field, separator in itertools.product(
        (
            "digiKam:TagsList",
            "lr:hierarchicalSubject",
            "MicrosoftPhoto:LastKeywordXMP",
            "mediapro:CatalogSets",
            "dc:subject",
        ),
        "|/",
    ):
        words = ["Anna", separator.join(["People", "Anna"]), separator.join(["Places", "Rome"]), "People"]
        assert read_names(properties(f"<{field}>{bag(words)}</{field}>")) == ["Anna"], (field, separator)


def test_groups_of_people_are_not_people() -> None:
    """Of People, People/Family and People/Family/Anna, Anna is a person. digiKam's own words are not."""
    words = [
        "People",
        "People/Family",
        "People/Family/Anna",
        "Personen/Ben",
        "People/Unknown",
        "People/",
        "people|Clara",
    ]
    assert read_names(properties(f"<digiKam:TagsList>{bag(words)}</digiKam:TagsList>")) == ["Anna", "Ben", "Clara"]


def test_categories_of_acdsee() -> None:
    """Categories are XML within XML. Hostile XML in them is refused, and other fields count."""
    tree = (
        '<Categories><Category Assigned="0">People<Category Assigned="1">Anna</Category>'
        '<Category Assigned="0">Ben</Category></Category><Category Assigned="1">Rome</Category></Categories>'
    )
    escaped = tree.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    assert read_names(properties("", f'acdsee:categories="{escaped}"')) == ["Anna"]
    assert read_names(properties("", 'acdsee:categories="&lt;!DOCTYPE x&gt;&lt;x/&gt;"')) == []


def test_ten_thousand_regions() -> None:
    """Ten thousand regions are read. Three times as many are refused."""
    items = [as_exiftool(f"Person {i}", (0.5, 0.5, 0.1, 0.1)) for i in range(10_000)]
    assert len(regions(mwg(items))) == 10_000
    with pytest.raises(MetadataError, match=r"too many elements|bytes|regions"):
        regions(mwg(items * 3))
