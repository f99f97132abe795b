"""Certificate and key files that a sandbox is started with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.sandbox.tls import TlsFiles, tls_files

BOTH = Path(__file__).parents[2] / "data/tls/localhost.pem"
BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@pytest.fixture
def apart(tmp_path: Path) -> TlsFiles:
    """Return the certificate and its key in a file each."""
    key, certificate = BOTH.read_text("ascii").split(BEGIN_CERTIFICATE)
    files = TlsFiles(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    files.certificate.write_text(BEGIN_CERTIFICATE + certificate, "ascii")
    files.key.write_text(key, "ascii")
    return files


def test_key_may_stand_beside_its_certificate_or_in_its_file(apart: TlsFiles) -> None:
    assert tls_files(apart.certificate, apart.key) == apart
    assert tls_files(BOTH, None) == TlsFiles(certificate=BOTH, key=BOTH)
    assert tls_files(None, None) is None


def test_files_that_are_no_certificate_and_key_are_refused_by_name(
    apart: TlsFiles, tmp_path: Path
) -> None:
    (tmp_path / "text.pem").write_text("no PEM", "ascii")
    for certificate, key in (
        (tmp_path / "text.pem", None),
        (apart.certificate, None),
        (apart.certificate, tmp_path / "text.pem"),
        (apart.key, apart.certificate),
        (apart.certificate, tmp_path / "none.pem"),
    ):
        with pytest.raises(ValueError, match=f"PEM in {certificate}") as refused:
            tls_files(certificate, key)
        assert str(key or certificate) in str(refused.value)


def test_key_with_a_password_is_refused_and_nobody_is_asked(apart: TlsFiles) -> None:
    locked = apart.key.with_name("locked.pem")
    subprocess.run(
        ["openssl", "pkey", "-in", apart.key, "-out", locked, "-aes128", "-passout", "pass:x"],
        check=True,
        capture_output=True,
    )

    with pytest.raises(ValueError, match="without a password"):
        tls_files(apart.certificate, locked)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--tls-cert", __file__], "are expected as PEM in"),
        (["--tls-key", str(BOTH)], "a key needs its certificate"),
    ],
)
def test_command_refuses_wrong_files_before_it_serves(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(cli, ["sandbox", *arguments])

    assert result.exit_code == 2
    assert "Invalid value for --tls-cert" in result.output
    assert problem in " ".join(result.output.split())
