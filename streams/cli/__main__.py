"""`python -m streams.cli` is `windage`: how it starts processes of its own."""

from streams.cli import main

main()
