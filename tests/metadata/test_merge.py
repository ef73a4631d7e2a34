"""Names merged into XMP: everything else stays to the byte, and only our own names are ever removed."""

from __future__ import annotations

import re
import time
from xml.etree import ElementTree

import pytest

from faceie.errors import MetadataError
from faceie.metadata.frames import StoredFrame
from faceie.metadata.merge import NamedFace, merge

from .lists import TEXTS, read, written

FRAME = StoredFrame((400, 200), 1)
ANNA = NamedFace("Anna", (0.1, 0.2, 0.3, 0.6))
BERTA = NamedFace("Berta", (0.5, 0.2, 0.7, 0.6))


def packet(properties: str, *, about: str = "", rest: str = "") -> bytes:
    """Return a sidecar of another program."""
    return f"""<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<!-- a comment, with <dc:subject> in it -->
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Another program'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>

 <rdf:Description rdf:about='{about}'
  xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp="http://ns.adobe.com/xap/1.0/"
  xmlns:mwg-rs='http://www.metadataworkinggroup.com/schemas/regions/'
  xmlns:stArea='http://ns.adobe.com/xmp/sType/Area#' xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
  xmlns:MP='http://ns.microsoft.com/photo/1.2/' xmlns:MPRI='http://ns.microsoft.com/photo/1.2/t/RegionInfo#'
  xmlns:MPReg='http://ns.microsoft.com/photo/1.2/t/Region#'
  xmp:Rating = "5"   xmp:Label='a > b'>
{properties}
 </rdf:Description>
{rest}</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>
""".encode()


SUBJECT = "  <dc:subject>\n   <rdf:Bag>\n    <rdf:li>sea</rdf:li>\n    <!-- more -->\n   </rdf:Bag>\n  </dc:subject>"
RATING_ONLY = packet("")
CLARA = (
    "  <mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:AppliedToDimensions stDim:w='400' stDim:h='200'"
    " stDim:unit='pixel'/><mwg-rs:RegionList><rdf:Seq>{}</rdf:Seq></mwg-rs:RegionList></mwg-rs:Regions>"
)
# A region at (0.5, 0.2, 0.7, 0.6), where Berta is, in the shapes of three programs.
SHAPES = {
    "elements": "<rdf:li rdf:parseType='Resource'><mwg-rs:Area rdf:parseType='Resource'><stArea:x>0.6</stArea:x>"
    "<stArea:y>0.4</stArea:y><stArea:w>0.2</stArea:w><stArea:h>0.4</stArea:h></mwg-rs:Area>"
    "<mwg-rs:Name>{}</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>",
    "description": "<rdf:li><rdf:Description mwg-rs:Name='{}' mwg-rs:Type='Face'><mwg-rs:Area stArea:x='0.6'"
    " stArea:y='0.4' stArea:w='0.2' stArea:h='0.4' stArea:unit='normalized'/></rdf:Description></rdf:li>",
    "mixed": "<rdf:li><rdf:Description mwg-rs:Type='Face'><mwg-rs:Area><rdf:Description stArea:x='0.6' stArea:y='0.4'"
    " stArea:w='0.2' stArea:h='0.4'/></mwg-rs:Area><mwg-rs:Name>{}</mwg-rs:Name></rdf:Description></rdf:li>",
}


def test_a_new_sidecar_has_all_lists() -> None:
    merged = merge(None, [ANNA, BERTA], FRAME)
    assert read(merged.content) == written(ANNA, BERTA)
    assert b"<stDim:w>400</stDim:w>" in (merged.content or b"")
    assert b"<stDim:h>200</stDim:h>" in (merged.content or b"")


def test_regions_are_those_of_the_stored_photo() -> None:
    """Orientation 6: the photo is turned clockwise to be upright."""
    merged = merge(None, [NamedFace("Anna", (0.0, 0.0, 0.25, 0.5))], StoredFrame((400, 200), 6))
    assert read(merged.content)["regions"] == [("Anna", (0.0, 0.75, 0.5, 1.0))]
    assert read(merged.content)["microsoft"] == [("Anna", (0.0, 0.75, 0.5, 1.0))]


def test_without_names_there_is_no_sidecar() -> None:
    assert merge(None, [], FRAME) == (None, False, [])
    first = merge(None, [ANNA], FRAME)
    assert first.has_names
    assert merge(first.content, [], None) == (None, False, [])


def test_a_person_without_a_face_has_no_region() -> None:
    assert read(merge(None, [NamedFace("Anna", None)], FRAME).content) == {
        **written(ANNA),
        "regions": [],
        "microsoft": [],
    }


FOREIGN = {
    "rating only": RATING_ONLY,
    "keywords": packet(SUBJECT),
    "one line": packet("<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>"),
    "empty list": packet("<dc:subject><rdf:Bag/></dc:subject>"),
    "windows": packet(SUBJECT).replace(b"\n", b"\r\n"),
    "other prefixes": packet(SUBJECT).replace(b"rdf:", b"r:").replace(b"xmlns:rdf", b"xmlns:r").replace(b"dc:", b"d:")
    .replace(b":dc=", b":d="),
    "stolen prefix": packet("", rest=" <rdf:Description xmlns:lr='urn:other' lr:x='1'/>\n").replace(
        b"<rdf:RDF ", b"<rdf:RDF xmlns:digiKam='urn:another' "
    ),
    "several descriptions": packet("", rest=f" <rdf:Description rdf:about='' xmlns:dc='{TEXTS['subject'][1:33]}'>\n"
    f"{SUBJECT}\n </rdf:Description>\n"),
    "no list of regions": packet("  <mwg-rs:Regions rdf:parseType='Resource'>\n   <mwg-rs:AppliedToDimensions"
    " stDim:w='1' stDim:h='1'/>\n  </mwg-rs:Regions>"),
    "nested regions": packet("<mwg-rs:Regions><rdf:Description><mwg-rs:RegionList><rdf:Bag>"
    + SHAPES["mixed"].format("Clara").replace("0.4", "0.8") + "</rdf:Bag></mwg-rs:RegionList></rdf:Description>"
    "</mwg-rs:Regions>"),
    "no wrapper": packet(SUBJECT).split(b"?>\n", 1)[1].replace(b"<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Another "
    b"program'>", b"").replace(b"</x:xmpmeta>\n<?xpacket end='w'?>", b""),
    "text instead of a list": packet("<dc:subject>sea</dc:subject>"),
    "identifier": packet("", about="uuid:1&amp;2"),
    **{shape: packet(CLARA.format(region.format("Clara").replace("0.4", "0.8"))) for shape, region in SHAPES.items()},
}  # fmt: skip


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_other_content_stays_to_the_byte(foreign: bytes) -> None:
    """Added, changed, removed: the rest is that of the other program, and the names are there."""
    before = read(foreign)
    merged = merge(foreign, [ANNA], FRAME).content
    assert merged is not None
    for key, expected in written(ANNA).items():
        if b"<dc:subject>sea" not in foreign or key != "subject":
            assert read(merged)[key] == [*before[key], *expected]
    at = 0
    for tag in re.findall(rb"[^>]*>\s*", foreign.replace(b"<rdf:Bag/>", b"<rdf:Bag>")):
        assert (at := merged.find(tag.rstrip(), at) + len(tag.rstrip())) >= len(tag.rstrip())
    assert merge(merged, [ANNA], FRAME).content == merged
    assert merge(merged, [], None).content == foreign
    changed = merge(merged, [BERTA._replace(area=(0.8, 0.1, 0.9, 0.3))], FRAME).content
    assert b"Anna" not in (changed or b"")
    assert merge(changed, [ANNA], FRAME).content == merged


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-16", "latin-1", "ascii"])
def test_encodings_stay(encoding: str) -> None:
    text = packet(SUBJECT.replace("sea", "S\xe9e" if encoding != "ascii" else "see")).decode().replace("\ufeff", "")
    if encoding in ("latin-1", "ascii"):
        text = f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'
    foreign = text.encode(encoding)
    merged = merge(foreign, [NamedFace("Zoë Ż", ANNA.area)], FRAME).content
    assert merged is not None
    for byte_order in ("utf-16-le", "utf-16-be"):
        if encoding == byte_order:
            merged_text = merged.decode(encoding)
            assert read(merged_text.encode())["subject"][-1] == "Zoë Ż"
            break
    else:
        assert read(merged)["subject"][-1] == "Zoë Ż"
    assert merge(merged, [NamedFace("Zoë Ż", ANNA.area)], FRAME).content == merged
    assert merge(merged, [], None).content == foreign


NAMES = ["Tom & Jerry", "<b>", "]]>", '"O\'Neill"', "a|b", "a/b", "José 李 🙂", "People|Anna", "-->", "%d&#10;"]


@pytest.mark.parametrize("name", NAMES)
def test_names_with_odd_characters(name: str) -> None:
    for foreign in (None, packet(SUBJECT)):
        merged = merge(foreign, [NamedFace(name, ANNA.area)], FRAME).content
        found = read(merged)
        assert found["regions"] == [(name, ANNA.area)]
        assert found["PersonInImage"] == [name]
        assert found["hierarchicalSubject"] == ([] if "|" in name else [f"People|{name}"])  # it would be two levels
        assert found["TagsList"] == ([] if "/" in name else [f"People/{name}"])
        assert merge(merged, [NamedFace(name, ANNA.area)], FRAME).content == merged
        assert merge(merged, [], None).content == foreign


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    """Older galleries may have such names."""
    merged = merge(None, [NamedFace("An\x00\x07na\udcff\ufffe", ANNA.area), NamedFace("\x07", BERTA.area)], FRAME)
    assert read(merged.content) == written(ANNA)
    assert merge(None, [NamedFace("\x07", BERTA.area)], FRAME).content is None


def test_names_of_other_programs_are_not_repeated() -> None:
    foreign = packet(f"{CLARA.format(SHAPES['description'].format('berta'))}\n{SUBJECT.replace('sea', 'BERTA')}")
    merged = merge(foreign, [BERTA], FRAME)
    found = read(merged.content)
    assert [name for name, _ in found["regions"]] == ["berta"]  # type: ignore[misc, has-type]
    assert found["subject"] == ["BERTA"]
    assert found["PersonInImage"] == ["Berta"]
    assert not merged.conflicts
    assert merge(merged.content, [], None).content == foreign


@pytest.mark.parametrize("shape", SHAPES)
def test_another_name_for_the_same_face_stays(shape: str) -> None:
    foreign = packet(CLARA.format(SHAPES[shape].format("Clara")))
    merged = merge(foreign, [ANNA, BERTA], FRAME)
    assert merged.conflicts == [("Berta", "Clara")]
    assert b"Berta" not in (merged.content or b"")
    assert merge(foreign, [BERTA], FRAME) == (foreign, False, [("Berta", "Clara")])


def test_another_program_writes_the_file_in_its_own_way() -> None:
    """Then our names are found by their values: nothing is written again, and all are removed."""
    first = merge(packet(SUBJECT), [ANNA, BERTA], FRAME).content
    assert first is not None
    rewritten = ElementTree.tostring(ElementTree.fromstring(first)).replace(b".400000", b".4")
    assert merge(rewritten, [BERTA, ANNA], FRAME).content is rewritten
    rest = merge(rewritten, [], None).content
    assert rest is not None
    assert b"Anna" not in rest
    assert b"Wrote" not in rest
    assert read(rest)["subject"] == ["sea"]


def test_what_another_program_adds_to_our_sidecar_stays() -> None:
    first = merge(None, [ANNA], FRAME).content
    assert first is not None
    added = first.replace(b"<rdf:li>People|Anna", b"<rdf:li>Places|Rome</rdf:li><rdf:li>People|Anna")
    rest = merge(added, [], None).content
    assert rest is not None
    assert read(rest)["hierarchicalSubject"] == ["Places|Rome"]
    assert b"Anna" not in rest
    assert read(merge(added, [BERTA], FRAME).content)["regions"] == [("Berta", BERTA.area)]


def test_a_name_that_was_corrected_elsewhere_is_not_ours_any_more() -> None:
    first = merge(None, [ANNA], FRAME).content
    assert first is not None
    corrected = first.replace(b"<mwg-rs:Name>Anna", b"<mwg-rs:Name>Clara")
    merged = merge(corrected, [ANNA], FRAME)
    assert merged.conflicts == [("Anna", "Clara")]
    assert read(merged.content)["regions"] == [("Clara", ANNA.area)]
    assert read(merge(corrected, [], None).content)["regions"] == [("Clara", ANNA.area)]


def test_lists_that_would_be_hidden_are_copied() -> None:
    """Programs that find regions in a sidecar do not look for those in the photo."""
    face = SHAPES["description"].format("Clara").replace("0.4", "0.8")
    inside = packet(CLARA.format(face) + SUBJECT.replace("sea", "Dora"))
    merged = merge(None, [ANNA], FRAME, [inside])
    found = read(merged.content)
    assert [name for name, _ in found["regions"]] == ["Clara", "Anna"]  # type: ignore[misc, has-type]
    assert found["subject"] == ["Dora", "Anna"]
    assert merge(merged.content, [ANNA], FRAME, [inside]).content == merged.content
    assert merge(merged.content, [], None).content is None
    assert merge(None, [], FRAME, [inside]) == (None, False, [])


def test_regions_in_pixels_are_not_copied() -> None:
    """They refer to the dimensions in their own file."""
    inside = packet(CLARA.format(SHAPES["elements"].format("Clara").replace("0.6", "240").replace("0.4", "80")))
    assert read(merge(None, [ANNA], FRAME, [inside]).content)["regions"] == written(ANNA)["regions"]


def test_hidden_names_of_a_face_are_replaced_by_ours() -> None:
    inside = packet(CLARA.format(SHAPES["elements"].format("Old")) + SUBJECT.replace("sea", "Old"))
    found = read(merge(None, [BERTA], FRAME, [inside, b"broken"]).content)
    assert found == written(BERTA)
    former = merge(None, [NamedFace("Old", ANNA.area)], FRAME).content
    assert former is not None
    assert read(merge(None, [BERTA], FRAME, [former]).content) == written(BERTA)  # it was ours, and is no longer


BOMB = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 99 + b'"><!ENTITY b "' + b"&a;" * 999 + b'">]>'
HOSTILE = {
    "no XML": b"hello",
    "empty": b"",
    "zeros": bytes(500),
    "ends early": RATING_ONLY[:-40],
    "no RDF": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    "a page": b"<html><body/></html>",
    "two roots": RATING_ONLY + RATING_ONLY,
    "entities": BOMB + RATING_ONLY.split(b"?>", 1)[1],
    "deep": packet("<a>" * 500 + "</a>" * 500),
    "no UTF-8": RATING_ONLY.replace(b"comment", b"comm\xff"),
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?>' + RATING_ONLY.split(b"?>", 1)[1],
    "undeclared prefix": packet("<no:such/>"),
    "odd UTF-16": RATING_ONLY.decode().replace("\ufeff", "").encode("utf-16")[:-1],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_cannot_be_changed_safely_is_refused(content: bytes) -> None:
    with pytest.raises(MetadataError):
        merge(content, [ANNA], FRAME)


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_damaged_records_do_no_harm(cut: int) -> None:
    """Whatever the record says, names of others stay."""
    first = merge(packet(SUBJECT), [ANNA, BERTA], FRAME).content
    assert first is not None
    at = first.index(b"made ")
    damaged = first[: at + cut] + first[at + cut + 5 :]
    try:
        merged = merge(damaged, [], None).content
    except MetadataError:
        return
    assert merged is not None
    assert "sea" in read(merged)["subject"]


def test_ten_thousand_regions_take_seconds() -> None:
    places = [(i % 100 / 100, i // 100 / 100) for i in range(10_000)]
    faces = [NamedFace(f"Person {i % 5000}", (x, y, x + 0.009, y + 0.009)) for i, (x, y) in enumerate(places)]
    start = time.monotonic()
    first = merge(packet(SUBJECT), faces, FRAME)
    again = merge(first.content, faces, FRAME)
    assert again.content == first.content
    assert time.monotonic() - start < 120
    assert len(read(first.content)["regions"]) == 10_000
