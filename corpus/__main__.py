"""`python -m corpus` is the `corpus` command."""

from corpus.cli.app import main

if __name__ == "__main__":
    main()
