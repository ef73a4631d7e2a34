"""Your photo collection: indexed, searched, sorted by people. All of it stays on your machine.

A *probe* is a face to search for, the *gallery* the collection that is searched. A *cluster* is found by the program, a
*person* is named by you.

The class, from the file to the whole:

==================  ==================================================================================
`base`              `GalleryFile`: open, close, copy and delete the files
`face_methods`      `FaceMethods`: faces, embeddings and thumbnails
`photo_methods`     `PhotoMethods`: photos, and faces that the user has drawn
`import_methods`    `ImportMethods`: names from other programs
`list_methods`      `ListMethods`: lists of people, clusters, their faces and photos
`people_methods`    `PeopleMethods`: your statements about people and faces
`question_methods`  `QuestionMethods`: suggestions, ignored faces and undo
`export_methods`    `ExportMethods`: names for other programs, and folders of links
`dataset_methods`   `DatasetMethods`: datasets of Parquet files, in and out
`gallery`           `Gallery`: photos and search; the public class
`records`           row types: faces, matches, people; imports no network and no database
`reports`           reports of runs, and files that cannot be used
`settings`          path, weights and options
==================  ==================================================================================

The database. Only these modules execute SQL. The first three deal with the file as a whole, the next four with a
server, the others with rows in either:

==================  ==================================================================================
`database`          open, create, check, migrate and copy the file; transactions
`schema`            the tables, and their migrations
`log`               the mark in the file's header and its write-ahead log
`postgres`          `Postgres`: a connection with the methods that the stores use
`postgres_errors`   the errors of its server, in sentences with advice
`postgres_vectors`  embeddings as vectors of pgvector
`schema_postgres`   its tables
`store`             `Store`: settings, files, photos
`store_faces`       `FaceStore`: faces, embeddings, thumbnails
`store_people`      `PeopleStore`: people, clusters, labels, ignored faces
`store_history`     `HistoryStore`: the user's last actions, and undo
`store_exports`     `ExportStore`: names to write, and hashes of photos with names
`store_imports`     `ImportStore`: imported names
`store_changes`     `ChangeStore`: faces that have changed since the last look
`store_datasets`    `DatasetStore`: all rows by photo, and statements of another gallery
`store_vectors`     `VectorStore`: the nearest faces to a probe, in PostgreSQL
==================  ==================================================================================

The work, by the path of a photo:

==================  ==================================================================================
`indexing`          a run over folders
`workers`           the processes of a run
`progress`          how far a run is, for other programs
`alone`             try a photo that may end its process
`analysis`          detect and encode the faces in a photo
`absence`           photos that are gone from their folders
`drives`            network drives, which need another journal
`matrix`            all embeddings, mapped into memory, and exact search; owns its file
`search`            matches of a probe, and photos of people
`clusters`          cluster faces by person; knows no database
`scores`            scores of pairs of groups of faces, in blocks
`cells`             where to look for faces that are alike, among very many
`assignment`        apply clusters to the gallery, if it has not changed since
`people`            your statements: names, merged and split people, confirmed and rejected faces
`names`             valid and equal names
`pairs`             pairs of people, clusters and faces that may be one person
`suggestions`       faces and clusters that are probably a person
`skipped`           questions that the user has put off
`strangers`         new faces that match an ignored stranger
`drawn`             faces that the user has drawn: stored, and moved to new versions of photos
`pictures`          pictures of photos and faces for display
`import_names`      read the names of other programs, and decide about each
`import_match`      which name belongs to which face; knows no database
`export_names`      write names into sidecars and photos
`import_dataset`    add a dataset: photos, faces, people, statements
`export_dataset`    write a gallery as a dataset
`links`             folders of links to the photos of each person
`wipe`              delete rows, and overwrite their bytes
==================  ==================================================================================
"""

from .export_names import ExportReport, OtherName
from .gallery import PRIOR, Gallery
from .links import LinkReport
from .records import Action, Counts, Face, Match, Person, Photo, PhotoMatch, Probe, Suggestion
from .reports import AddReport, BadPhoto, Forgotten, ImportReport, IndexReport, NameConflict, PhotoName
from .settings import default_path

__all__ = [
    "PRIOR",
    "Action",
    "AddReport",
    "BadPhoto",
    "Counts",
    "ExportReport",
    "Face",
    "Forgotten",
    "Gallery",
    "ImportReport",
    "IndexReport",
    "LinkReport",
    "Match",
    "NameConflict",
    "OtherName",
    "Person",
    "Photo",
    "PhotoMatch",
    "PhotoName",
    "Probe",
    "Suggestion",
    "default_path",
]
