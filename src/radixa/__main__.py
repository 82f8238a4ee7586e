"""`python -m radixa` is `radixa`."""

from radixa.cli.app import main

if __name__ == "__main__":
    main()
