"""`windage demo`: the main job on real predictions that come with the project."""

from streams.cli.demo.show import run

__all__ = ["run"]
