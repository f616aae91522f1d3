"""What the programs beside the tests begin and end with."""

import os
import sys

from lab import sweep


def begin(name):
    """What killed runs left is removed."""
    if os.geteuid() != 0:
        sys.exit(f'{name}: network namespaces need root')
    sweep()


def run(main):
    """Ends with main()'s exit status."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
