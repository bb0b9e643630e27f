"""PostgreSQL over TLS: `sslmode=verify-full` by URL, with our own authority, holds for every connection of a home, and
what another authority has signed, or for another host, is refused.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct
from sqlalchemy import text

from evenkeel.desk.ports import User
from evenkeel.domain.errors import EvenkeelError, JournalError, NotReady
from evenkeel.storage.database import Database
from evenkeel.storage.engines import Purpose, async_engine, sync_engine
from evenkeel.storage.ownership import Owner
from evenkeel.storage.repositories import StoredUsers
from evenkeel.storage.schema import current, upgrade
from tests.postgres import PostgresCluster, find_binaries
from tests.services import unavailable
from tests.storage.stories import SHARD, Story, commit
from tests.storage.test_projector import projected

pytestmark = pytest.mark.service
_SSL = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


class Authority(Struct):
    """A certificate authority of its own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signing = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        built = (
            _begun(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signing, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(key, built.sign(key, hashes.SHA256()))

    def sign(self, host: str) -> tuple[bytes, bytes]:
        """A certificate for a host, by its name or address, and the key to it, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
        name = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        built = (
            _begun(subject, self.certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(ours, critical=False)
        )
        certificate = built.sign(self.key, hashes.SHA256())
        plain = (
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(*plain)

    def keep(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
    )


def _cluster(tls: tuple[bytes, bytes]) -> Iterator[PostgresCluster]:
    binaries = find_binaries()
    if binaries is None:
        unavailable("PostgreSQL is not installed (Debian, Ubuntu: apt-get install postgresql)")
    cluster = PostgresCluster.start(binaries, tls=tls)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.made("Tests of Evenkeel")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[PostgresCluster]:
    """A server whose certificate is for 127.0.0.1."""
    yield from _cluster(authority.sign("127.0.0.1"))


@pytest.fixture(scope="module")
def other_host(authority: Authority) -> Iterator[PostgresCluster]:
    """One whose certificate is for another host."""
    yield from _cluster(authority.sign("db.example.org"))


def verified(url: str, root: Path) -> str:
    return f"{url}?sslmode=verify-full&sslrootcert={quote(str(root))}"


async def test_every_connection_of_a_home_is_verified(
    server: PostgresCluster, authority: Authority, tmp_path: Path
) -> None:
    root = authority.keep(tmp_path / "ca.pem")
    with server.database() as url:
        where = Database(tmp_path, verified(url, root))
        story = Story(4).tell(60)
        with Owner(where) as owner:
            upgrade(where)
            journal = owner.journal(SHARD)
            commit(journal, story.records)
            journal.close()
        assert projected(where).ok
        with psycopg.connect(where.dsn) as connection:
            assert connection.execute(_SSL).fetchone() == (True,)
        purposes: tuple[Purpose, ...] = ("migrate", "project", "read")
        for purpose in purposes:
            engine = sync_engine(where, purpose)
            with engine.connect() as reading:
                assert reading.execute(text(_SSL)).scalar_one() is True
            engine.dispose()
        pool = async_engine(where)
        async with pool.connect() as asynchronous:
            assert (await asynchronous.execute(text(_SSL))).scalar_one() is True
        await StoredUsers(pool, User).add(User("1", "anna", "trader", "x"))
        await pool.dispose()
        assert root.name not in where.shown


async def test_another_authority_is_refused(server: PostgresCluster, tmp_path: Path) -> None:
    wrong = Authority.made("Somebody else").keep(tmp_path / "wrong.pem")
    with server.database() as url:
        await _refused(Database(tmp_path, verified(url, wrong)))


async def test_another_host_is_refused(other_host: PostgresCluster, authority: Authority, tmp_path: Path) -> None:
    root = authority.keep(tmp_path / "ca.pem")
    with other_host.database() as url:
        await _refused(Database(tmp_path, verified(url, root)))


async def test_a_missing_authority_is_refused(server: PostgresCluster, tmp_path: Path) -> None:
    with server.database() as url:
        await _refused(Database(tmp_path, verified(url, tmp_path / "nothing.pem")))


async def _refused(where: Database) -> None:
    """Neither journal, nor projections, nor people get through, and no password is told."""
    password = where.dsn.split(":")[2].split("@")[0]
    with pytest.raises(JournalError, match="cannot be reached") as refused:
        Owner(where)
    assert password not in str(refused.value)
    with pytest.raises(EvenkeelError):
        current(where)
    engine = async_engine(where)
    with pytest.raises((NotReady, EvenkeelError)) as unread:
        await StoredUsers(engine, User).by_id("1")
    assert password not in str(unread.value)
    await engine.dispose()
