"""Namespaces of XMP in which programs store the names of people, and the usual prefix of each."""

__all__ = [
    "ACDSEE",
    "ACDSEE_AREA",
    "ACDSEE_DIMENSIONS",
    "ACDSEE_REGIONS",
    "AREA",
    "DIGIKAM",
    "DIMENSIONS",
    "DUBLIN_CORE",
    "EXPRESSION_MEDIA",
    "FACEIE",
    "IPTC",
    "LIGHTROOM",
    "MEDIA_PRO",
    "MICROSOFT_PHOTO",
    "MP",
    "MP_INFO",
    "MP_REGION",
    "MWG",
    "PHOTOSHOP",
    "PREFIXES",
    "RDF",
    "RDFS",
    "TIFF",
    "XML",
    "XMP_NOTE",
    "X",
]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
X = "adobe:ns:meta/"
XML = "http://www.w3.org/XML/1998/namespace"

#: Regions of the Metadata Working Group, their areas, and the size of the picture to which these refer.
MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"

#: Regions of Microsoft Photo: the tag, its list of regions, and the fields of a region.
MP = "http://ns.microsoft.com/photo/1.2/"
MP_INFO = "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
MP_REGION = "http://ns.microsoft.com/photo/1.2/t/Region#"

#: Regions of ACDSee.
ACDSEE_REGIONS = "http://ns.acdsee.com/regions/"
ACDSEE_AREA = "http://ns.acdsee.com/sType/Area#"
ACDSEE_DIMENSIONS = "http://ns.acdsee.com/sType/Dimensions#"

#: ``PersonInImage`` and ``ImageRegion`` of the IPTC.
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"

#: Keywords.
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
MICROSOFT_PHOTO = "http://ns.microsoft.com/photo/1.0/"
EXPRESSION_MEDIA = "http://ns.microsoft.com/expressionmedia/1.0/"
MEDIA_PRO = "http://ns.iview-multimedia.com/mediapro/1.0/"
ACDSEE = "http://ns.acdsee.com/iptc/1.0/"

PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
#: Faceie's record of the names that it has written itself.
FACEIE = "urn:faceie:names/1.0/"

XMP_NOTE = "http://ns.adobe.com/xmp/note/"

#: The usual prefix of each namespace.
PREFIXES = {
    RDF: "rdf",
    RDFS: "rdfs",
    X: "x",
    XML: "xml",
    MWG: "mwg-rs",
    AREA: "stArea",
    DIMENSIONS: "stDim",
    MP: "MP",
    MP_INFO: "MPRI",
    MP_REGION: "MPReg",
    ACDSEE_REGIONS: "acdsee-rs",
    ACDSEE_AREA: "acdsee-stArea",
    ACDSEE_DIMENSIONS: "acdsee-stDim",
    IPTC: "Iptc4xmpExt",
    DUBLIN_CORE: "dc",
    LIGHTROOM: "lr",
    DIGIKAM: "digiKam",
    MICROSOFT_PHOTO: "MicrosoftPhoto",
    EXPRESSION_MEDIA: "expressionmedia",
    MEDIA_PRO: "mediapro",
    ACDSEE: "acdsee",
    PHOTOSHOP: "photoshop",
    TIFF: "tiff",
    XMP_NOTE: "xmpNote",
    FACEIE: "faceie",
}
