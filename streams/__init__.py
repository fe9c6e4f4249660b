"""The two machines, their organs, and the runtimes that turn the crank."""
