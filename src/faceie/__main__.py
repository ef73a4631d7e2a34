"""``python -m faceie``: the command line, for machines where `faceie` is not on the path."""

import sys

from .cli import main

sys.exit(main())
