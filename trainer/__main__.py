"""`python -m trainer` and `torchrun -m trainer`: the same command as the `trainer` script."""

from trainer.cli.app import main

if __name__ == "__main__":
    main()
