"""``python -m faceie``: the command line, where its command is not on the path."""

import sys

from .cli import main

sys.exit(main())
