"""The bill of materials of a lock, as CycloneDX JSON on stdout.

Promises: a component for each pinned line of the lock, and no other; its hashes are the lock's.
Leaves to others: pinning (`scripts/lock`), known vulnerabilities (`scripts/check --audit`), who
needs whom, which a lock does not say.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> Iterator[Component]:
    """The packages of a lock's text; ValueError for one that is not pinned by version and hash."""
    for line in lock.replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        wanted = Requirement(line.partition("--hash")[0])
        hashes = _HASH.findall(line)
        pinned = re.fullmatch(r"==([^*]+)", str(wanted.specifier))
        if pinned is None or not hashes:
            raise ValueError(f"{wanted.name} is not pinned by one version and its hashes")
        url = PackageURL("pypi", None, wanted.name, pinned[1])
        # A hash is of one file of the package, not of the package itself.
        files = ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(str(url)),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes],
        )
        where = [Property(name="windage:installed-where", value=str(wanted.marker))]
        yield Component(
            type=ComponentType.LIBRARY,
            name=wanted.name,
            version=pinned[1],
            purl=url,
            bom_ref=str(url),
            external_references=[files],
            properties=where if wanted.marker else [],
        )


def bill(lock: str, project: dict[str, str]) -> str:
    """The document for a lock's text; `project` has name and version."""
    bom = Bom(components=components(lock))
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION, name=project["name"], version=project["version"]
    )
    return JsonV1Dot6(bom).output_as_string(indent=2)


if __name__ == "__main__":
    ours = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    print(bill(Path(sys.argv[1]).read_text("utf-8"), ours))
