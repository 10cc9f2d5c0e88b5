"""`python -m tunewright`: the command line."""

from tunewright.cli.main import main

if __name__ == "__main__":
    main()
