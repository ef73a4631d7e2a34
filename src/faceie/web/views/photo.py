"""One photo: its faces with boxes and names, and boxes that the user draws around missed faces."""

from __future__ import annotations

from ...gallery import Face, Photo
from ..cards import face_url, plural
from ..markup import Html, fill, join
from ..visit import Done, Page, Picture, RequestError, Visit, address
from .route import Route

__all__ = ["ROUTES", "boxes_of", "photo_url"]

_SIDES = ("x1", "y1", "x2", "y2")
_LARGE, _SMALL = 2048, 320  # pixels of pictures


def show_photo(visit: Visit) -> Page:
    """Show a photo, given by its number, or by the number of a face in it. The face is marked."""
    chosen = visit.number("face", 0)
    number = visit.gallery.face(chosen).photo if chosen and not visit.text("photo") else visit.number("photo")
    photo = visit.gallery.photo(number)
    faces = visit.gallery.faces_in(photo.id)
    here = address("/photo", photo=photo.id)
    width, height = photo.size
    body = fill(
        "photo",
        title=photo.path.name,
        path=str(photo.path),
        about=", ".join(filter(None, [_date(photo), plural(photo.faces, "face"), f"{width} x {height} pixels"])),
        number=str(photo.id),
        width=str(width),
        height=str(height),
        boxes=boxes_of(faces, chosen),
        without=_without_face(photo),
        faces=join((_line(face, face.id == chosen, here) for face in faces), "\n"),
        next=here,
    )
    return Page(photo.path.name, body)


def add_face(visit: Visit) -> Done:
    """Add the face in a box that the user has drawn."""
    photo = visit.numbers["photo"]
    try:
        box = [float(visit.text(side)) for side in _SIDES]
    except ValueError:
        raise RequestError("Draw a box around the face, or enter its four sides in pixels.") from None
    face = visit.gallery.add_face(photo, box, visit.text("name") or None)
    return Done(address("/photo", photo=photo, face=face))  # the photo also after the face is taken back


def show_picture(visit: Visit) -> Picture:
    """Return a photo as a picture for the screen."""
    return Picture(visit.gallery.picture(visit.numbers["photo"], _LARGE))


def show_small_picture(visit: Visit) -> Picture:
    """Return a photo as a small picture for lists."""
    return Picture(visit.gallery.picture(visit.numbers["photo"], _SMALL))


def show_close_up(visit: Visit) -> Picture:
    """Return a face with its surroundings."""
    return Picture(visit.gallery.close_up(visit.numbers["face"]))


def boxes_of(faces: list[Face], chosen: int = 0) -> Html:
    """Return the boxes of faces, to be drawn over their photo. Each is a link to the line of its face."""
    shown = [face for face in faces if face.ignored is None or face.id == chosen]
    return join((_box(face, face.id == chosen) for face in shown), "\n")


def photo_url(photo: int, *, small: bool = False) -> str:
    """Return the address of the picture of a photo."""
    return f"/photo/{photo}/small.jpg" if small else f"/photo/{photo}.jpg"


def _box(face: Face, chosen: bool) -> Html:
    x1, y1, x2, y2 = face.box
    return fill(
        "photo_box",
        face=str(face.id),
        kind="chosen" if chosen else "named" if face.name else "",
        x=f"{x1:.1f}",
        y=f"{y1:.1f}",
        width=f"{max(x2 - x1, 1):.1f}",
        height=f"{max(y2 - y1, 1):.1f}",
        title=face.name or "",
        label=face.name or f"Face {face.id}, without a name",
    )


def _line(face: Face, chosen: bool, here: str) -> Html:
    """Return the line of a face: its name, and the buttons for it."""
    return fill(
        "photo_face",
        face=str(face.id),
        picture=face_url(face.id),
        chosen=Html(" autofocus") if chosen else Html(),
        name=face.name or "",
        about=_about(face),
        person=_person_link(face),
        ignore=_ignore_buttons(face),
        next=here,
    )


def _about(face: Face) -> str:
    if face.ignored is not None:
        return f"ignored: {face.ignored}"
    if face.name is None:
        return "drawn by you" if face.drawn else ""
    return "confirmed" if face.confirmed else "recognized"


def _person_link(face: Face) -> Html:
    if face.person is None:
        return Html()
    text = face.name or f"Cluster {face.person}"
    return fill("photo_person", person=str(face.person), text=text)


def _ignore_buttons(face: Face) -> Html:
    return fill("photo_unignore" if face.ignored is not None else "photo_ignore", face=str(face.id))


def _date(photo: Photo) -> str:
    return (photo.taken or "").replace("T", " ")[:16]


def _without_face(photo: Photo) -> Html:
    if not photo.without_face:
        return Html()
    names = ", ".join(photo.without_face)
    return fill("paragraph", text=f"Also here, by an imported name, without a face: {names}. Draw a box to show where.")


ROUTES = (
    Route("GET", "/photo", show_photo),
    Route("GET", "/photo/{photo:int}.jpg", show_picture, work="pictures"),
    Route("GET", "/photo/{photo:int}/small.jpg", show_small_picture, work="pictures"),
    Route("GET", "/face/{face:int}/large.jpg", show_close_up, work="pictures"),
    Route("POST", "/photo/{photo:int}/add", add_face, work="searches"),
)
