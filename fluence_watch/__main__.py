"""`python -m fluence_watch` is `fluence-watch`."""

from fluence_watch.cli import main

if __name__ == "__main__":
    main()
