"""`python -m functions.local` is `trefoil`."""

from functions.local.cli import main

if __name__ == "__main__":
    main()
