"""The image and the compose file in real containers; skipped where no Docker daemon answers.

Under a project name, an image name and without the host ports of an installation that may be there.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "windage-tested"
OURS = ("topics", "profiler", "monitor")
SECONDS = 300
OVERRIDE = "services:\n  kafka: {ports: !reset []}\n" + "".join(
    f"  {name}: {{image: {IMAGE}}}\n" for name in OURS
)
READY = "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=5)"
METRICS = """import urllib.request as u
word = open("/run/windage/token").read().strip()
asked = u.Request("http://127.0.0.1:8080/metrics", headers={"Authorization": "Bearer " + word})
print(u.urlopen(asked, timeout=5).read().decode())
"""

pytestmark = pytest.mark.slow

Within = Callable[..., str]
"""Runs a command in the container of a service; gives what it printed. Fails as it fails."""


@pytest.fixture(scope="module")
def docker() -> None:
    """Skip where no daemon answers, or where its command knows no compose files."""
    pytest.importorskip("testcontainers", reason="testcontainers is not installed")
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    for asked, missing in ((["version"], "daemon"), (["compose", "version"], "compose")):
        if subprocess.run(["docker", *asked], capture_output=True, check=False).returncode:
            pytest.skip(f"docker is installed here, and no {missing} answers")


@pytest.fixture(scope="module")
def within(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Within]:
    """Kafka, topics and both roles as the compose file has them, from the image of this tree."""
    del docker
    from testcontainers.compose import DockerCompose

    override = tmp_path_factory.mktemp("compose") / "override.yml"
    override.write_text(OVERRIDE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", IMAGE)
        stack = DockerCompose(
            ROOT,
            compose_file_name=[str(ROOT / "docker-compose.yml"), str(override)],
            build=True,
            wait=False,
            services=["kafka", "token", *OURS],
        )

        def ran(service: str, *command: str) -> str:
            return str(stack.exec_in_container(list(command), service)[0])

        with stack:
            yield ran


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for something that a container does; a command that fails there has not happened yet."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            if happened():
                return
        except subprocess.CalledProcessError:
            pass
        assert time.monotonic() < end, f"not within {SECONDS} s: {what}"
        time.sleep(2)


def ready(within: Within, service: str) -> None:
    """Wait until a role has restored its states."""
    until(lambda: within(service, "python", "-c", READY) == "", f"{service} is ready")


def test_both_roles_come_up_and_what_is_sent_is_read(within: Within) -> None:
    """A prediction that a plain Kafka client writes is counted by the profiler."""
    ready(within, "profiler")
    ready(within, "monitor")
    event = {
        "model": "churn", "version": "1", "prediction_id": "p1", "timestamp": int(time.time()),
        "features": {"age": 41}, "prediction": 1, "score": 0.83,
    }  # fmt: skip
    line = f"echo '{json.dumps(event)}' | /opt/kafka/bin/kafka-console-producer.sh"
    within("kafka", "sh", "-c", f"{line} --bootstrap-server kafka:19092 --topic predictions")

    def read() -> bool:
        lines = within("profiler", "python", "-c", METRICS).splitlines()
        ours = [one for one in lines if one.startswith("windage_records_total{")]
        logs = [one for one in ours if 'topic="predictions"' in one and 'outcome="read"' in one]
        return any(re.search(r" 1(\.0)?$", one) for one in logs)

    until(read, "one prediction is read")


def test_our_containers_have_no_rights(within: Within) -> None:
    """They run as nobody in particular, and write nothing but scratch."""
    ready(within, "profiler")
    assert "10001" == within("profiler", "id", "-u").strip()
    write = "import pathlib; pathlib.Path('/opt/windage/x').write_text('x')"
    with pytest.raises(subprocess.CalledProcessError):
        within("profiler", "python", "-c", write)
