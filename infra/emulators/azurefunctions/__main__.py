"""`python -m infra.emulators.azurefunctions SETTINGS`: what the supervisor starts."""

import sys

from infra.emulators.azurefunctions.wiring import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
