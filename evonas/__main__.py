"""`python -m evonas` is the command line."""

from evonas.cli import main

main()
