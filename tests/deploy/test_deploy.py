"""What is handed to container tools fits together; the tools themselves run elsewhere."""

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from schemas.access import group_of
from schemas.config import Config
from schemas.load import load
from streams.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
HARDENED = {"read_only": True, "cap_drop": ["ALL"]}

Tree = dict[str, Any]


@pytest.fixture(name="compose")
def fixture_compose() -> Tree:
    """The compose file as a tree."""
    found: Tree = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


@pytest.fixture(name="manifests")
def fixture_manifests() -> list[Tree]:
    """What kustomize makes of the manifests."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", str(MANIFESTS)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def _own(compose: Tree) -> dict[str, Tree]:
    return {n: one for n, one in compose["services"].items() if one["image"] == "windage"}


def _understood(arguments: list[str]) -> None:
    """The command line takes these arguments: `--help` after them asks for nothing to be done."""
    answer = CliRunner().invoke(app, [*arguments, "--help"])
    assert (0, "") == (answer.exit_code, answer.stderr)


def test_every_service_of_ours_is_given_a_command_that_exists(compose: Tree) -> None:
    """Renaming an option of the command line shows in the compose file."""
    commands = [one["command"] for one in _own(compose).values()]
    assert commands
    for command in commands:
        _understood(command)


def test_every_service_of_ours_has_no_rights_and_a_read_only_root(compose: Tree) -> None:
    """Nothing that runs our image may write outside its volumes."""
    for name, service in _own(compose).items():
        assert {**HARDENED, "name": name} == {
            **{key: service.get(key) for key in HARDENED},
            "name": name,
        }


def test_mounted_files_exist_and_named_volumes_are_declared(compose: Tree) -> None:
    """A missing file would be made as an empty folder by the container engine."""
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            known = (ROOT / source).is_file() if source[0] == "." else source in compose["volumes"]
            assert (source, True) == (source, known)


def test_ports_of_the_host_are_bound_to_this_machine(compose: Tree) -> None:
    """Kafka without a password is for programs on this computer."""
    published = [port for one in compose["services"].values() for port in one.get("ports", [])]
    assert published
    assert [] == [port for port in published if not port.startswith("127.0.0.1:")]


def _loaded(path: str) -> Config:
    """A configuration as its container would see it."""
    files = {"/run/windage/token": "a word\n"}
    return load(
        str(ROOT / path),
        {"WINDAGE_BOOTSTRAP": "kafka:19092"},
        lambda name: files.get(name) or Path(name).read_text(),
    )


CONFIGURATIONS = ["deploy/kubernetes/config.yaml", "deploy/compose.yaml", "deploy/serve.yaml"]


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_the_configurations_are_valid(path: str) -> None:
    """All are taken by the loader that the commands use."""
    assert ["churn"] == list(_loaded(path).models)


def test_pages_and_workers_of_the_compose_file_mean_the_same() -> None:
    """The pages have a configuration of their own, which differs in where they listen alone."""
    workers, pages = _loaded("deploy/compose.yaml"), _loaded("deploy/kubernetes/config.yaml")
    assert (pages.models, pages.topics) == (workers.models, workers.topics)
    assert not workers.http.host.startswith("127.")
    assert pages.http.host.startswith("127.")


def test_prometheus_scrapes_the_workers_where_they_listen(compose: Tree) -> None:
    """Names, port and word are those of the compose file; whoever is asked must know the word."""
    services = compose["services"]
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (scrape,) = config["scrape_configs"]
    (found,) = scrape["dns_sd_configs"]
    assert ["profiler", "monitor", "sinks"] == found["names"]
    for name in found["names"]:
        command = services[name]["command"]
        assert str(found["port"]) == command[command.index("--http") + 1]
    word = scrape["authorization"]["credentials_file"]
    assert word in services["token"]["command"][0]
    mounted = f"token:{Path(word).parent}:ro"
    assert all(mounted in services[name]["volumes"] for name in (*found["names"], "prometheus"))
    (alertmanagers,) = config["alerting"]["alertmanagers"][0]["static_configs"]
    assert {target.split(":")[0] for target in alertmanagers["targets"]} <= set(services)


def test_sinks_of_the_compose_file_are_carried_for_by_a_process_of_its_own(compose: Tree) -> None:
    """It starts with whatever the configuration names among the services, and judges nothing."""
    services, config = compose["services"], _loaded("deploy/compose.yaml")
    carrier = services["sinks"]
    assert ("sinks", True) == (carrier["command"][0], bool(config.sinks))
    assert "./deploy/compose.yaml:/etc/windage/windage.yaml:ro" in carrier["volumes"]
    hosts = [urlsplit(sink.url).hostname for sink in config.sinks.values()]
    for host in hosts:
        assert host not in services or set(carrier["profiles"]) <= set(services[host]["profiles"])
    assert set(hosts) & set(services), "a name that is no service is reached by nobody"


def test_grafana_finds_what_it_is_given(compose: Tree) -> None:
    """Every dashboard is mounted where the provider looks; sources are services."""
    grafana = ROOT / "deploy" / "grafana"
    mounts = dict(one.split(":")[:2] for one in compose["services"]["grafana"]["volumes"])
    (provider,) = yaml.safe_load((grafana / "provisioning/dashboards/windage.yml").read_text())[
        "providers"
    ]
    wanted = {f"{provider['options']['path']}/{one.name}" for one in grafana.glob("dashboards/*")}
    assert wanted <= set(mounts.values())
    sources = yaml.safe_load((grafana / "provisioning/datasources/windage.yml").read_text())
    for source in sources["datasources"]:
        assert source["url"].split("/")[2].split(":")[0] in compose["services"]


def test_what_is_not_ours_is_of_a_version_that_is_named(compose: Tree) -> None:
    """An image without a tag is another one next month."""
    images = [one["image"] for one in compose["services"].values() if one["image"] != "windage"]
    assert [] == [image for image in images if image.partition(":")[2] in ("", "latest")]


def test_dockerfile_copies_every_package_and_runs_without_rights() -> None:
    """A package added to the wheel must be added to the image."""
    text = (ROOT / "Dockerfile").read_text()
    lines = text.splitlines()
    for package in ("detectors", "schemas", "streams", "windage"):
        assert f"COPY {package} {package}" in lines
    assert "USER 10001:10001" in lines
    assert "--require-hashes" in text


def test_pods_have_commands_that_exist_and_no_rights(manifests: list[Tree]) -> None:
    """The patch reached every pod, and the command line takes their arguments."""
    pods = [one["spec"]["template"]["spec"] for one in manifests if one["kind"] in POD_KINDS]
    assert len(POD_KINDS) + 1 == len(pods)  # two deployments, one job
    for pod in pods:
        (container,) = pod["containers"]
        _understood(container["args"])
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert ["ALL"] == container["securityContext"]["capabilities"]["drop"]
        assert pod["securityContext"]["runAsNonRoot"]


POD_KINDS = ("Deployment", "Job")


def test_scaling_asks_for_the_lag_of_our_group_and_topic(manifests: list[Tree]) -> None:
    """A renamed group would have no lag, and nothing would ever be added."""
    text = (MANIFESTS / "config.yaml").read_text()
    config = load("config.yaml", {"WINDAGE_BOOTSTRAP": "kafka:9092"}, lambda _name: text)
    (scaled,) = (one for one in manifests if one["kind"] == "ScaledObject")
    (trigger,) = (one["metadata"] for one in scaled["spec"]["triggers"])
    assert group_of(config, "profiler") == trigger["consumerGroup"]
    assert config.topics.name("predictions") == trigger["topic"]
    assert config.topics.partitions == scaled["spec"]["maxReplicaCount"]
