"""What a sandbox that speaks HTTPS shows of itself: a certificate and its key, as PEM files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A certificate, with what vouches for it, and its key; one file or two."""

    certificate: Path
    key: Path


def tls_files(certificate: Path | None, key: Path | None) -> TlsFiles | None:
    """Return files that a server can show, None for none; a key is in the certificate's file too.

    Raises:
        ValueError: They are no certificate and key, do not belong together, or the key wants a
            password.
    """
    if certificate is None:
        if key is not None:
            raise ValueError("a key needs its certificate")
        return None
    files = TlsFiles(certificate=certificate, key=key or certificate)
    try:
        # Without a password given, OpenSSL would ask the terminal for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            files.certificate, files.key, password=""
        )
    except OSError as exc:
        names = " and ".join(str(path) for path in dict.fromkeys((files.certificate, files.key)))
        reason = getattr(exc, "reason", "") or exc.strerror or "not PEM"
        raise ValueError(
            f"a certificate and its key without a password are expected as PEM in {names}: {reason}"
        ) from exc
    return files
