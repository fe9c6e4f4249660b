"""A real broker with TLS, SCRAM, OAuth, client certificates and ACLs; certificates to throw away.

One broker with several listeners, each with one thing that may go wrong. The listener without
security belongs to the tests alone: whoever comes that way is a super user.
"""

import subprocess
from contextlib import closing
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.admin import ACLResourcePatternType as PatternType

from schemas.access import access
from scripts.ports import free_ports
from tests.kafka.conftest import Broker

PASSWORD = "s3cret-0f-the-br0ker"
WAYS = {
    "secured": "SASL_SSL",  # all is well
    "expired": "SASL_SSL",  # its certificate ran out
    "elsewhere": "SASL_SSL",  # its certificate is another host's
    "mutual": "SSL",  # clients must show a certificate
    "clear": "SASL_PLAINTEXT",
    "brief": "SASL_SSL",  # no connection outlives its token
}
BRIEF_SECONDS = 6
_JAAS = "org.apache.kafka.common.security"


class Authority:
    """A certificate authority of one day; each certificate is one PEM with its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = folder / "ca.pem"
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=throw-away"),
        )
        (folder / "issued").touch()
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=issued\nnew_certs_dir=.\nrand_serial=yes\n"
            "default_md=sha256\npolicy=any\nunique_subject=no\ncopy_extensions=copy\n"
            "[any]\ncommonName=supplied\n"
        )

    def issue(self, name: str, alternative: str, *, until: str = "20991231000000Z") -> Path:
        """Return the PEM of key and certificate of `name`, valid `until`."""
        self._openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName={alternative}"),
        )
        self._openssl(
            *("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem"),
            *("-keyfile", "ca.key", "-in", f"{name}.csr", "-out", f"{name}.crt"),
            *("-startdate", "20200101000000Z", "-enddate", until),
        )
        both = self._folder / f"{name}.pem"
        key, certificate = (
            (self._folder / f"{name}.{kind}").read_text() for kind in ("key", "crt")
        )
        both.write_text(key + certificate)
        return both

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


class Secured:
    """A running broker; `address[way]` of `WAYS`, and `open` for the tests themselves."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        ports = free_ports(2 + len(WAYS))
        self.open = f"127.0.0.1:{ports[0]}"
        self.address = {way: f"127.0.0.1:{port}" for way, port in zip(WAYS, ports[2:], strict=True)}
        self.client = self.authority.issue("worker", "DNS:worker")
        self.stale = self.authority.issue("stale", "DNS:stale", until="20210101000000Z")
        settings = self._settings()
        options = [part for line in settings for part in ("--set", line)]
        # A container publishes two ports, and there are more listeners than that.
        self._broker = Broker(ports[0], folder, *options, way="java")

    def start(self) -> None:
        """Start it, and let `user` and `nobody` in."""
        self._broker.start()
        with closing(KafkaAdminClient(bootstrap_servers=self.open)) as admin:
            done = admin.alter_user_scram_credentials(
                [
                    UserScramCredentialUpsertion(user, "SCRAM-SHA-512", PASSWORD)
                    for user in ("profiler", "monitor", "producer", "ops", "nobody")
                ]
            )
        assert {None} == set(done.values()), done

    def stop(self) -> None:
        """End it and delete its records."""
        self._broker.stop(wipe=True)

    def grant(self, config, role, user=None, *, but=()) -> None:
        """Give `user` what `schemas.access` says its role needs, `but` these (operation, name)."""
        rows = [row for row in access(config) if row.role == role]
        acls = [
            _acl(user or role, row.operation, row.resource, row.name, row.prefixed)
            for row in rows
            if (row.operation, row.name) not in but
        ]
        with closing(KafkaAdminClient(bootstrap_servers=self.open)) as admin:
            assert not admin.create_acls(acls)["failed"]

    def allow(self, user, operation, resource, prefix) -> None:
        """Give a permission for everything whose name begins so."""
        acl = _acl(user, operation, resource, prefix, True)
        with closing(KafkaAdminClient(bootstrap_servers=self.open)) as admin:
            assert not admin.create_acls([acl])["failed"]

    def deny(self, user, operation, resource, name) -> ACL:
        """Take one permission away, whatever else is granted; gives what `allow_again` takes."""
        acl = _acl(user, operation, resource, name, False, ACLPermissionType.DENY)
        with closing(KafkaAdminClient(bootstrap_servers=self.open)) as admin:
            assert not admin.create_acls([acl])["failed"]
        return acl

    def allow_again(self, acl) -> None:
        """Undo `deny`."""
        with closing(KafkaAdminClient(bootstrap_servers=self.open)) as admin:
            assert not any(one for _, _, one in admin.delete_acls([acl]) if one.errno)

    def _settings(self) -> list[str]:
        """Broker settings beyond those of scripts/kafka; a later line wins."""
        good = self.authority.issue("broker", "IP:127.0.0.1,DNS:localhost")
        stores = {
            "secured": good,
            "expired": self.authority.issue(
                "old", "IP:127.0.0.1,DNS:localhost", until="20210101000000Z"
            ),
            "elsewhere": self.authority.issue("other", "DNS:broker.example"),
            "mutual": good,
            "brief": good,
        }
        port = self.open.rpartition(":")[2]
        controller = f"CONTROLLER://127.0.0.1:{int(port) + 1}"
        ways = [f"{way.upper()}://{address}" for way, address in self.address.items()]
        lines = [
            f"listeners={','.join([f'PLAINTEXT://{self.open}', controller, *ways])}",
            f"advertised.listeners={','.join([f'PLAINTEXT://{self.open}', *ways])}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            + ",".join(f"{way.upper()}:{protocol}" for way, protocol in WAYS.items()),
            "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/",
            f"listener.name.brief.oauthbearer.connections.max.reauth.ms={1000 * BRIEF_SECONDS}",
        ]
        for way, protocol in WAYS.items():
            prefix = f"listener.name.{way}."
            if way in stores:
                lines += [
                    f"{prefix}ssl.keystore.type=PEM",
                    f"{prefix}ssl.keystore.location={stores[way]}",
                    f"{prefix}ssl.truststore.type=PEM",
                    f"{prefix}ssl.truststore.location={self.authority.ca}",
                    f"{prefix}ssl.client.auth={'required' if way == 'mutual' else 'none'}",
                ]
            if protocol.startswith("SASL"):
                users = " ".join(f'user_{name}="{PASSWORD}"' for name in ("profiler", "nobody"))
                modules = {
                    "scram-sha-512": "scram.ScramLoginModule",
                    "plain": "plain.PlainLoginModule",
                    "oauthbearer": "oauthbearer.OAuthBearerLoginModule",
                }
                lines += [
                    f"{prefix}{name}.sasl.jaas.config={_JAAS}.{module} required"
                    + (f" {users};" if name == "plain" else ";")
                    for name, module in modules.items()
                ]
        return lines


def _acl(user, operation, resource, name, prefixed, permission=ACLPermissionType.ALLOW) -> ACL:
    words = {"DescribeConfigs": "DESCRIBE_CONFIGS", "IdempotentWrite": "IDEMPOTENT_WRITE"}
    kind = PatternType.PREFIXED if prefixed else PatternType.LITERAL
    return ACL(
        principal=f"User:{user}",
        host="*",
        operation=ACLOperation[words.get(operation, operation.upper())],
        permission_type=permission,
        resource_pattern=ResourcePattern(ResourceType[resource.upper()], name, kind),
    )
