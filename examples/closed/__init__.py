"""The parts of `examples/loop`: a world, a model server, a trainer, and who watches them."""
