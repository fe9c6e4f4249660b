"""The manifest of the process that carries fits the command line and the other manifests."""

from pathlib import Path

import yaml
from typer.testing import CliRunner

from streams.cli.app import app

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes"


def containers(name):
    documents = yaml.safe_load_all((MANIFESTS / name).read_text())
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]
        for one in documents
        if one["kind"] == "Deployment"
    }


def test_the_manifest_starts_a_command_that_exists_at_the_port_that_is_probed():
    """As those of the workers do, whose probes it shares."""
    (sinks,) = containers("sinks.yaml").values()
    workers = containers("workers.yaml").values()
    ended = CliRunner().invoke(app, [*sinks["args"], "--help"])
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert {sinks["args"][-1]} == {one["args"][-1] for one in workers}
    assert {(sinks["name"], sinks["image"])} == {(one["name"], one["image"]) for one in workers}
