"""The bill of materials is the lock in another form, and a form that other tools can read."""

import importlib.util
import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements-runtime.lock", "requirements.lock"]


@pytest.fixture(scope="module", params=LOCKS)
def lock(request):
    """Return the name of a lock."""
    return request.param


@pytest.fixture(scope="module")
def bill(lock):
    """Return what the script says of it."""
    done = subprocess.run(
        [sys.executable, "scripts/sbom.py", lock],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_every_package_of_the_lock_is_there_and_no_other(lock, bill):
    """Name, version and every hash, read from the lock in another way."""
    blocks = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    expected = {
        re.match(r"([\w.-]+)==([\w.!+]+)", one).groups(): set(re.findall(r"sha256:(\w{64})", one))
        for one in blocks
    }
    found = {
        (one["name"], one["version"]): {
            each["content"] for files in one["externalReferences"] for each in files["hashes"]
        }
        for one in bill["components"]
    }
    assert 40 < len(expected)
    assert expected == found
    assert len(expected) == len(bill["components"])
    assert all(
        f"pkg:pypi/{one['name']}@{one['version']}" == one["purl"] for one in bill["components"]
    )


def test_it_is_of_this_project(bill):
    """Name and version are those of pyproject.toml."""
    ours = bill["metadata"]["component"]
    text = (ROOT / "pyproject.toml").read_text()
    assert f'name = "{ours["name"]}"\nversion = "{ours["version"]}"' in text


def test_it_is_cyclonedx(bill):
    """The published schema takes it."""
    folder = resources.files("cyclonedx.schema") / "_res"
    names = ("bom-1.6.SNAPSHOT", "spdx.SNAPSHOT", "jsf-0.82.SNAPSHOT")
    schemas = [json.loads((folder / f"{name}.schema.json").read_text("utf-8")) for name in names]
    known = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in schemas)
    assert "1.6" == bill["specVersion"]
    jsonschema.Draft7Validator(schemas[0], registry=known).validate(bill)


@pytest.mark.parametrize(
    "line", ["numpy>=2 --hash=sha256:" + "0" * 64, "numpy==2.3", "numpy==2.* --hash=sha256:1"]
)
def test_what_is_not_pinned_is_in_no_bill(line):
    """A lock with a hole is told, not listed as if it were whole."""
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "scripts" / "sbom.py")
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    with pytest.raises(ValueError, match="numpy is not pinned"):
        list(sbom.components(line + "\n"))
