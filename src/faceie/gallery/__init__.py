"""Your photo collection: indexed, searched, sorted by people. All of it stays on your machine.

The *gallery* is the collection, the *probe* the face that is searched for in it. A *cluster* is found by the program,
a *person* is named by you.

=============  =======================================================================================
`gallery`      `Gallery`, which the others serve
`settings`     where it is; which weights and options it has
`records`      what it tells: faces, matches, people, reports
`schema`       the file: one SQLite database, opened, checked, migrated
`store`        rows of photos and faces
`look`         what is done with each photo, in whichever process
`workers`      the processes that do it
`indexing`     a run over folders
`absence`      which photos are known to be gone
`drives`       drives of this machine and of the network
`matrix`       all embeddings, mapped into memory, and exact search in them
`search`       what is like a probe, and who is in which photo
`clusters`     which faces are of one person; knows nothing of databases
`names`        names of people, and which two are one
`people`       clusters and what the user says of them, in the database
`wipe`         forgetting
=============  =======================================================================================
"""

from .gallery import PRIOR, Gallery
from .records import BadPhoto, Face, Forgotten, IndexReport, Match, Person, Probe, Sighting
from .settings import default_path

__all__ = [
    "PRIOR",
    "BadPhoto",
    "Face",
    "Forgotten",
    "Gallery",
    "IndexReport",
    "Match",
    "Person",
    "Probe",
    "Sighting",
    "default_path",
]
