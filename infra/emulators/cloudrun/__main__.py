"""`python -m infra.emulators.cloudrun SETTINGS`: what the supervisor starts."""

import sys

from infra.emulators.cloudrun.wiring import run

if __name__ == "__main__":
    run(sys.argv[1])
