"""Certificates for a clinic that has none: a small authority of its own, and a server certificate by it.

The authority's key is used once and never kept: nobody, not even this machine, can sign a second certificate
that the clinic's tablets would believe. A new certificate is a new authority, and is installed anew.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.errors import UserError

FOLDER: Final = "tls"
CA_FILE: Final = "ca.pem"
CERT_FILE: Final = "server.pem"
KEY_FILE: Final = "server.key"
VALID_DAYS: Final = 820
"""Apple's devices believe no server certificate of more than 825 days."""
BACKDATED: Final = timedelta(days=1)
"""A tablet's clock may be a little behind."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the files are: the authority's certificate, ours, and our key."""

    ca: Path
    certificate: Path
    key: Path


def certificate_files(data: Path) -> CertificateFiles:
    """Return where a data folder keeps them, whether they are there or not."""
    folder = data / FOLDER
    return CertificateFiles(folder / CA_FILE, folder / CERT_FILE, folder / KEY_FILE)


def make_certificate(
    data: Path, hosts: Sequence[str], now: datetime, *, replace: bool = False
) -> CertificateFiles:
    """Make an authority and a server certificate for these names and addresses; keys are for the owner only.

    Raises:
        UserError: there is one already and ``replace`` is not set, a host is none, or nothing can be written.
    """
    files = certificate_files(data)
    if not replace and any(path.exists() for path in (files.ca, files.certificate, files.key)):
        raise UserError(
            f"{files.certificate.parent}: there is a certificate already; --replace makes a new one, "
            "and every tablet must then install the new authority"
        )
    names = [_name(host) for host in hosts]
    if not names:
        raise UserError("a certificate needs at least one name or address: --host")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key, names, now)
    certificate = _server(ca, ca_key, key, names, now)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        files.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(files.key, secret, 0o600)
        _write(files.certificate, certificate.public_bytes(pem) + ca.public_bytes(pem), 0o644)
        _write(files.ca, ca.public_bytes(pem), 0o644)
    except OSError as error:
        raise UserError(f"{files.key.parent}: cannot be written: {error.strerror or error}") from None
    return files


def read_validity(certificate: Path) -> tuple[datetime, datetime]:
    """Return since when and until when a certificate (PEM) is valid; made by us it is backdated by a day.

    Raises:
        UserError: it cannot be read, or is none.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except OSError as error:
        raise UserError(f"{certificate}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise UserError(f"{certificate}: is no certificate") from None
    return found.not_valid_before_utc, found.not_valid_after_utc


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.split(".")
    plain = host.isascii() and len(host) <= 253
    if not plain or not all(label.replace("-", "a").isalnum() and len(label) <= 63 for label in labels):
        raise UserError(f"--host {host!r}: expected a name such as stillroom.local, or an address")
    return x509.DNSName(host.lower())


def _authority(
    key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], now: datetime
) -> x509.Certificate:
    """Sign an authority by itself. It can vouch for these names only: a tablet trusts it for nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Stillroom authority {now:%Y-%m-%d}")])
    return (
        _begun(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints([_only(each) for each in names], None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _only(name: x509.GeneralName) -> x509.GeneralName:
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ipaddress.ip_network(str(name.value)))
    return name


def _server(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    now: datetime,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Stillroom")])
    return (
        _begun(name, ca.subject, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file that no other user can read meanwhile, and that is whole or not there."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
