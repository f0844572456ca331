"""The certificates and keys of the folder signers, for tests alone: authorities, and a signer for each kind of key.

They are valid from 2020 to 2120. The keys of the authorities are not kept: a run makes all of them anew.

    python3 tests/vectors/signers.py         needs the package `cryptography`
"""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

FOLDER = pathlib.Path(__file__).with_name("signers")
FIRST, LAST = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc) for year in (2020, 2120))
EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
DOCUMENTS = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def issue(name, key, issuer=None, purpose=None):
    """A certificate of `key`: an authority's where it has no purpose. `issuer` is a certificate and its key."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CredLink tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    issuer_name, issuer_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    is_authority = purpose is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FIRST)
        .not_valid_after(LAST)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(
            x509.KeyUsage(not is_authority, False, False, False, False, is_authority, is_authority, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    digest = {256: hashes.SHA256, 384: hashes.SHA384, 521: hashes.SHA512}[issuer_key.curve.key_size]()
    return builder.sign(issuer_key, digest), key


def write(name, *certificates, key=None):
    pem = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
    (FOLDER / f"{name}.pem").write_bytes(pem)
    if key:
        form = serialization.PrivateFormat.PKCS8
        text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        (FOLDER / f"{name}.key").write_bytes(text)


FOLDER.mkdir(exist_ok=True)
authority = issue("authority", ec.generate_private_key(ec.SECP384R1()))
# Its signatures are of the kind that has an implementation of its own.
between = issue("between", ec.generate_private_key(ec.SECP521R1()), authority)
other = issue("other", ec.generate_private_key(ec.SECP256R1()))
write("authority", authority[0])
write("other", other[0])
for name, key, issuer, purpose in [
    ("es256", ec.generate_private_key(ec.SECP256R1()), authority, EMAIL),
    ("es384", ec.generate_private_key(ec.SECP384R1()), between, EMAIL),
    ("es512", ec.generate_private_key(ec.SECP521R1()), authority, EMAIL),
    ("rsa", rsa.generate_private_key(65537, 2048), authority, EMAIL),
    ("ed25519", ed25519.Ed25519PrivateKey.generate(), authority, DOCUMENTS),
    ("other-es256", ec.generate_private_key(ec.SECP256R1()), other, EMAIL),
]:
    chain = [issue(name, key, issuer, purpose)[0]] + ([between[0]] if issuer is between else [])
    write(name, *chain, key=key)
