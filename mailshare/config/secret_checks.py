"""Where passwords and keys stand: whether the references lead somewhere, and who else could read them."""

from __future__ import annotations

import json
import os

from mailshare.config.problems import Findings
from mailshare.config.schema import FileTables, Secret

Path = tuple[str | int, ...]


def check_secrets(tables: FileTables, directory: str, findings: Findings) -> None:
    """Note every password that is missing, of a wrong kind, or readable by others.

    :param directory: relative file names start here.
    """
    for kind, many in (("account", tables.account), ("user", tables.user)):
        for index, one in enumerate(many):
            path: Path = (kind, index, "password")
            secret: Secret = one.password  # type: ignore[attr-defined]
            if kind == "account" and secret.kind == "hash":
                findings.error(path, "the provider needs the password itself; a hash is for users")
            if kind == "user" and secret.kind in ("sealed", "split"):
                findings.error(path, f"{secret.kind} passwords are for accounts")
            inner = json.loads(secret.value).items() if secret.kind == "split" else ()
            for way, reference in inner:
                if "left_out" in reference:
                    _left_out(str(reference["left_out"]), (*path, way), findings)
            _secret(secret, path, directory, findings, demonstration=tables.demonstration.isp)
    for index, line in enumerate(tables.fax_line):
        for name, secret in line.secrets.items():
            path = ("fax_line", index, "secrets", name)
            if secret.kind in ("hash", "sealed", "split"):
                findings.error(path, "the line needs the secret itself", 'write { file = "secrets/name" }')
            _secret(secret, path, directory, findings, demonstration=False)
    for kind, codes in (
        ("fax_box", [one.code for one in tables.fax_box]),
        ("fax_caller", [one.code for one in tables.fax_caller]),
    ):
        for index, code in enumerate(codes):
            if code.kind in ("hash", "sealed", "split"):
                words = "the code itself is compared"
                findings.error((kind, index, "code"), words, 'write { file = "secrets/name" }')
            _secret(code, (kind, index, "code"), directory, findings, demonstration=False)


def _secret(secret: Secret, path: Path, directory: str, findings: Findings, *, demonstration: bool) -> None:
    """Does the reference lead somewhere? Contents are not looked at."""
    if secret.kind == "env" and secret.value not in os.environ:
        # A command's environment is not the server's, so this is no mistake yet.
        findings.warn(path, f"the environment of this command has no variable {secret.value}")
    elif secret.kind == "file":
        _secret_file(os.path.join(directory, secret.value), path, findings)
    elif secret.kind == "credential":
        place = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not place:
            findings.warn(path, "credentials exist only when systemd starts the server (LoadCredential=)")
        elif not os.path.isfile(os.path.join(place, secret.value)):
            findings.error(path, f"systemd gave no credential {secret.value}")
    elif secret.kind == "left_out":
        _left_out(secret.value, path, findings)
    elif secret.kind == "literal" and not secret.value:
        findings.error(path, "the password is empty", 'better: password = { file = "secrets/name" }')
    elif secret.kind == "literal" and not demonstration:
        findings.warn(path, "the password stands in this file", 'better: password = { file = "secrets/name" }')
    elif secret.kind == "hash" and not secret.value.startswith("$argon2"):
        findings.error(path, "hash must be an argon2 hash, as mailshare export writes it")


def _left_out(words: str, path: Path, findings: Findings) -> None:
    hint = 'write password = { file = "secrets/name" }, or export once more with --secrets'
    findings.error(path, f"this password is missing: mailshare export left it out ({words})", hint)


def sealed_elsewhere(tables: FileTables, key_file: str, findings: Findings) -> None:
    """Warn of sealed passwords where the key they were sealed with is not there.

    :param key_file: where it would lie.
    """
    for index, account in enumerate(tables.account):
        if '"sealed"' in account.password.as_reference() and not os.path.exists(key_file):
            words = f"this password is sealed with the key of the office that it comes from, and there is no {key_file}"
            findings.warn(("account", index, "password"), words, "copy sealing.key from there, or write the password")


def _secret_file(place: str, path: Path, findings: Findings) -> None:
    try:
        mode = os.stat(place).st_mode
    except OSError as error:
        findings.error(path, f"the file {place} cannot be read: {error.strerror}")
        return
    if mode & 0o077:
        findings.error(path, f"the file {place} is open to others; chmod 600 {place}")
