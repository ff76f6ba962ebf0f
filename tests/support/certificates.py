"""Certificates made by Debian's openssl: an authority, and servers that it vouches for or nobody does."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = puretalk test
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {host}
"""


class Authority:
    """A private certificate authority; its certificate is the PEM file `bundle`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bundle = folder / "authority.pem"
        self._make("authority", "authority", "DNS:unused.example", ())

    def server(self, name: str, host: str) -> ssl.SSLContext:
        """A server whose certificate is for `host`, such as IP:127.0.0.1, and comes from this authority."""
        issuer = ("-CA", str(self.bundle), "-CAkey", str(self._folder / "authority.key"))
        return self._context(self._make(name, "server", host, issuer))

    def self_signed(self, name: str, host: str) -> ssl.SSLContext:
        """A server whose certificate nobody vouches for."""
        return self._context(self._make(name, "server", host, ()))

    def _make(self, name: str, kind: str, host: str, issuer: tuple[str, ...]) -> Path:
        certificate = self._folder / f"{name}.pem"
        config = self._folder / f"{name}.cnf"
        config.write_text(_CONFIG.format(host=host))
        command = ["openssl", "req", "-x509", "-config", str(config), "-extensions", kind, "-subj", f"/CN={name}"]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command += ["-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate), *issuer]
        subprocess.run(command, check=True, capture_output=True)
        return certificate

    @staticmethod
    def _context(certificate: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        return context
