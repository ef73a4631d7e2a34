"""Your photo collection: indexed, searched, sorted by people. All of it stays on your machine.

A *probe* is a face to search for, the *gallery* the collection that is searched. A *cluster* is found by the program, a
*person* is named by you.

The class, from the file to the whole:

==================  ===================================================================================
`base`              `GalleryFile`: open, close, copy and delete the files
`face_methods`      `FaceMethods`: faces, embeddings, thumbnails
`people_methods`    `PeopleMethods`: people, clusters and your statements about faces
`question_methods`  `QuestionMethods`: suggestions, ignored faces, covers, births, undo
`gallery`           `Gallery`: photos, faces and search; the public class
`records`           row types: faces, matches, people, reports; imports no network and no database
`settings`          path, weights and options
==================  ===================================================================================

The database. Only these modules execute SQL. The first two deal with the file as a whole, the others with its rows:

==================  ===================================================================================
`schema`            open, create, check, migrate and copy the file; transactions
`log`               the mark in the file's header and its write-ahead log
`store`             `Store`: settings, files, photos
`store_faces`       `FaceStore`: faces, embeddings, thumbnails
`store_people`      `PeopleStore`: people, clusters, labels
`store_history`     `HistoryStore`: the user's last actions, and undo
==================  ===================================================================================

The work, by the path of a photo:

==================  ===================================================================================
`indexing`          a run over folders
`workers`           the processes of a run
`analysis`          detect and encode the faces in a photo
`absence`           photos that are gone from their folders
`drives`            network drives, which need another journal
`matrix`            all embeddings, mapped into memory, and exact search; owns its file
`search`            matches of a probe, and photos of people
`clusters`          cluster faces by person; knows no database
`assignment`        apply clusters to the gallery, if it has not changed since
`people`            your statements: names, merged and split people, confirmed and rejected faces
`suggestions`       questions for the user: groups of faces that are probably one person
`strangers`         new faces that match an ignored stranger
`names`             valid and equal names
`wipe`              delete rows, and overwrite their bytes
==================  ===================================================================================
"""

from .gallery import PRIOR, Gallery
from .records import Action, BadPhoto, Face, Forgotten, IndexReport, Match, Person, PhotoMatch, Probe, Suggestion
from .settings import default_path

__all__ = [
    "PRIOR",
    "Action",
    "BadPhoto",
    "Face",
    "Forgotten",
    "Gallery",
    "IndexReport",
    "Match",
    "Person",
    "PhotoMatch",
    "Probe",
    "Suggestion",
    "default_path",
]
