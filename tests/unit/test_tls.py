"""Contexts from files: what is wrong with one is said, and which file it is."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tests.support.certificates import Pair, Pki

from subagent_sidecar.tls import (
    BadFile,
    ClientFiles,
    Renewable,
    ServerFiles,
    client_context,
    server_context,
)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.fixture
def pair(pki: Pki) -> Pair:
    return pki.pair("localhost")


def refused(files: ServerFiles) -> BadFile:
    with pytest.raises(BadFile) as told:
        server_context(files)
    return told.value


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("cert", None, "{cert} cannot be read (no such file or directory)"),
        ("key", None, "{key} cannot be read (no such file or directory)"),
        ("ca", None, "{ca} cannot be read (no such file or directory)"),
        ("cert", b"", "{cert} holds no certificate in PEM"),
        ("cert", b"\x30\x82\x01\x0a\x02\x82", "{cert} holds no certificate in PEM"),
        ("key", b"", "{key} holds no private key in PEM"),
        ("ca", b"nothing of the kind", "{ca} holds no certificate in PEM"),
        (
            "key",
            b"-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n",
            "{cert} and {key} cannot be used",
        ),
    ],
)
def test_a_file_that_is_none_is_named(
    pki: Pki, pair: Pair, part: str, content: bytes | None, said: str
) -> None:
    files = {"cert": pair.cert, "key": pair.key, "ca": pki.ca}
    files[part].unlink()
    if content is not None:
        files[part].write_bytes(content)
    told = refused(ServerFiles(cert=pair.cert, key=pair.key, client_ca=pki.ca))
    assert (told.part, str(told)[: len(said.format(**files))]) == (part, said.format(**files))


def test_so_is_one_that_may_not_be_read(pair: Pair, tmp_path: Path) -> None:
    told = refused(ServerFiles(cert=pair.cert, key=tmp_path))
    assert (told.part, "is a directory" in str(told)) == ("key", True)


def test_a_key_of_another_certificate_is_told_from_one_that_is_broken(pki: Pki, pair: Pair) -> None:
    told = refused(ServerFiles(cert=pair.cert, key=pki.pair("localhost").key))
    assert (told.part, "does not belong to the certificate" in str(told)) == ("key", True)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_passphrase(pair: Pair) -> None:
    key = load_pem_private_key(pair.key.read_bytes(), password=None)
    locked = BestAvailableEncryption(b"secret")
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, locked))
    told = refused(ServerFiles(cert=pair.cert, key=pair.key))
    assert (told.part, "is encrypted" in str(told)) == ("key", True)


def test_servers_take_no_old_protocol_and_no_renegotiation(pair: Pair) -> None:
    context = server_context(ServerFiles(cert=pair.cert, key=pair.key))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.verify_mode == ssl.CERT_NONE


def test_with_an_authority_for_clients_each_of_them_is_asked_each_time(
    pki: Pki, pair: Pair
) -> None:
    context = server_context(ServerFiles(cert=pair.cert, key=pair.key, client_ca=pki.ca))
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert (context.num_tickets, bool(context.options & ssl.OP_NO_TICKET)) == (0, True)


@pytest.mark.parametrize("own_ca", [False, True])
def test_servers_are_verified_by_certificate_and_name(pki: Pki, own_ca: bool) -> None:
    context = client_context(ClientFiles(ca=pki.ca if own_ca else None))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_an_authority_of_ones_own_is_the_only_one(pki: Pki) -> None:
    (only,) = client_context(ClientFiles(ca=pki.ca)).get_ca_certs()
    assert "trustme" in str(only["subject"])


def test_only_who_asks_for_it_verifies_nothing() -> None:
    context = client_context(ClientFiles(verify=False))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_a_client_shows_its_certificate_or_the_file_is_named(pki: Pki, pair: Pair) -> None:
    client_context(ClientFiles(ca=pki.ca, cert=pair.cert, key=pair.key))
    with pytest.raises(BadFile, match="does not belong"):
        client_context(ClientFiles(cert=pair.cert, key=pki.pair("a").key))


def test_what_cannot_be_renewed_stays(pair: Pair) -> None:
    kept = Renewable(ServerFiles(cert=pair.cert, key=pair.key))
    pair.key.unlink()
    with pytest.raises(BadFile, match="cannot be read"):
        kept.renew()
