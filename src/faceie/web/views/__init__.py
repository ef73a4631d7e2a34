"""The views of the page, one file each. A view is a function of a `Visit` that returns an answer.

==============  =============================================================
`people`        all people and clusters; name and merge them
`person`        one person or cluster with all faces
`review`        one question at a time, until all are answered
`photo`         a photo with boxes and names, and faces that were missed
`search`        photos of people together, and who is on a photo
`faces`         unassigned and ignored faces, unreadable photos
`history`       the last actions, and undo
`pictures`      thumbnails
`status`        what changes while a page is open
==============  =============================================================

A view holds no SQL, and decides nothing about people: it calls one method of `Gallery` and shows the result. Each file
lists its routes: method, path, view.
"""

from . import faces, history, people, person, photo, pictures, review, search, status
from .route import Route

__all__ = ["ROUTES", "Route"]

#: All routes. Of several that match, the first one counts.
ROUTES: tuple[Route, ...] = (
    *people.ROUTES,
    *person.ROUTES,
    *review.ROUTES,
    *photo.ROUTES,
    *search.ROUTES,
    *faces.ROUTES,
    *history.ROUTES,
    *pictures.ROUTES,
    *status.ROUTES,
)
