"""Fixtures that start other people's programs on loopback, and our server between them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from real_peers.dovecot import Dovecot
from real_peers.office import PEOPLE, Office, person, shared_account
from real_peers.postfix import Postfix
from real_peers.provider import Certificates, Provider

from tests.conftest import SEARCH_PATH


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for this run."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    # fetchmail wants a common name although the alternative names have it.
    server = authority.issue_cert("localhost", "127.0.0.1", "mail.office.example", common_name="localhost")
    files = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem", folder / "localhost.pem")
    authority.cert_pem.write_to_path(str(files.authority))
    server.private_key_pem.write_to_path(str(files.key))
    for number, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(str(files.certificate), append=number > 0)
    files.both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
    return files


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that other users of the machine reach: pytest's own is closed to Dovecot's and Postfix's."""
    folder = Path(tempfile.mkdtemp(prefix="mailshare-peers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def running_dovecot(
    program: Callable[[str], str], open_folder: Path, certificates: Certificates, free_port: Callable[[], int]
) -> Iterator[Dovecot]:
    """Dovecot with the logins mail, domain and outside, all with the password ``secret``."""
    server = Dovecot(
        program("dovecot"),
        open_folder / "dovecot",
        free_port(),
        free_port(),
        certificates.certificate,
        certificates.key,
        dict.fromkeys(("mail", "domain", "outside"), "secret"),
        imaps=free_port() if shutil.which("imap-login", path=SEARCH_PATH) else 0,
        imap=free_port(),
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def running_provider(
    program: Callable[[str], str],
    running_dovecot: Dovecot,
    open_folder: Path,
    certificates: Certificates,
    free_port: Callable[[], int],
) -> Iterator[Provider]:
    """A whole provider; Postfix has to be started as root."""
    binary = program("postfix")
    if os.geteuid():
        if os.environ.get("MAILSHARE_PEERS") == "required":
            pytest.fail("Postfix can only be started by root", pytrace=False)
        pytest.skip("Postfix can only be started by root")
    server = Postfix(binary, open_folder / "postfix", running_dovecot, *(free_port() for _ in range(5)))
    try:
        server.start()
        yield Provider(running_dovecot, server, certificates.authority)
    finally:
        server.stop()


@pytest.fixture
def dovecot(running_dovecot: Dovecot) -> Dovecot:
    """Dovecot with empty mailboxes."""
    running_dovecot.empty()
    return running_dovecot


@pytest.fixture
def imaps(program: Callable[[str], str], running_dovecot: Dovecot) -> int:
    """The port of its IMAP server."""
    program("imap-login")
    return running_dovecot.imaps


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    """The provider with empty mailboxes; its queue may still hold what an earlier test left."""
    running_provider.dovecot.empty()
    running_provider.postfix.forget()
    return running_provider


@pytest.fixture
def office(
    provider: Provider, certificates: Certificates, tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[Office]:
    """Our server between desks and the provider, with andrew, greg and carolyn sharing one mailbox. Not started."""
    folder = tmp_path / "office"
    folder.mkdir()
    ports = {name: free_port() for name in ("pop3", "pop3s", "smtp", "submissions")}
    account = shared_account(provider)
    people = [person(name, account["address"]) for name in PEOPLE]
    server = Office(folder, certificates, ports, [account], people)
    try:
        yield server
    finally:
        server.stop()
