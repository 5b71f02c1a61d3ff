"""Reads a configuration file into a checked configuration and its secrets, or tells all that is wrong with it.

Opens no socket and logs nothing.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewayd.config import checks, schema
from gatewayd.config.billing_checks import check_rule_sets
from gatewayd.config.draft import read_draft
from gatewayd.config.faults import ConfigFaults, Fault, Findings, dotted
from gatewayd.config.media_files import read_media
from gatewayd.config.number_files import check_number_files
from gatewayd.config.receipt_files import read_receipt_dialects
from gatewayd.config.secret_files import Places, check_tls_files, read_secrets, with_paths
from gatewayd.config.template_files import read_templates

_POSITION = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be run. Paths in ``config`` are absolute. The repr shows the path alone.

    ``secrets`` is keyed by the dotted key that names the file: ``links.orange.password_file``. ``templates`` are the
    texts of the files in rcs.templates_dir, by their paths, in order; ``media`` the sizes of those in rcs.media_dir.
    ``receipts`` are the texts of the dialects that links name, by the names that they use.
    """

    path: Path
    config: schema.Config = dataclasses.field(repr=False)
    warnings: tuple[Fault, ...] = dataclasses.field(repr=False)
    secrets: Mapping[str, str] = dataclasses.field(repr=False)
    templates: Mapping[str, str] = dataclasses.field(repr=False, default_factory=dict)
    media: Mapping[str, int] = dataclasses.field(repr=False, default_factory=dict)
    receipts: Mapping[str, str] = dataclasses.field(repr=False, default_factory=dict)

    def link_secret(self, link: str, key: str) -> str:
        """The content of one of a link's files: ``link_secret("orange", "password_file")``."""
        return self.secrets[dotted("links", link, key)]

    def password_hash(self, account: str) -> str:
        """An account's password hash, wherever it was given."""
        inline = self.config.accounts[account].password_hash
        return inline or self.secrets[dotted("accounts", account, "password_hash_file")]

    def key_hashes(self, account: str) -> dict[str, str]:
        """The hashes of an account's keys for the HTTP API, by the keys' names."""
        return {
            name: key.hash or self.secrets[dotted("accounts", account, "api_keys", name, "hash_file")]
            for name, key in self.config.accounts[account].api_keys.items()
        }

    def endpoint_secrets(self, endpoint: str) -> tuple[str, ...]:
        """The secrets that sign what is posted to an endpoint, as they stand in its file."""
        return tuple(self.secrets[dotted("endpoints", endpoint, "secret_file")].splitlines())


def load(path: Path, credentials: Path | None = None) -> Loaded:
    """Read, check and complete a configuration; raises ConfigFaults with every fault at once.

    ``credentials`` is where relative names of secret files are looked up first; without it,
    ``$CREDENTIALS_DIRECTORY`` as systemd sets it, if it does.
    """
    findings = Findings(str(path))
    raw = _read_toml(path, findings)
    draft = read_draft(raw, findings)
    checks.check(draft, findings)
    if credentials is None and os.environ.get("CREDENTIALS_DIRECTORY"):
        credentials = Path(os.environ["CREDENTIALS_DIRECTORY"])
    places = Places(folder=path.absolute().parent, credentials=credentials)
    secrets = read_secrets(draft.config, places, findings)
    check_tls_files(draft.config, places, findings)
    check_rule_sets(draft.config, places.folder, findings)
    check_number_files(draft.config, places.folder, findings)
    templates = read_templates(draft.config, places.folder, findings)
    media = read_media(draft.config, places.folder, findings)
    receipts = read_receipt_dialects(draft.config, places.folder, findings)
    findings.raise_if_any()
    return Loaded(
        path=path.absolute(),
        config=with_paths(draft.config, places),
        warnings=tuple(findings.warnings),
        secrets=secrets,
        templates=templates,
        media=media,
        receipts=receipts,
    )


def _read_toml(path: Path, findings: Findings) -> dict[str, Any]:
    """The decoded file. Nothing else can be said about a file that is no TOML, so this raises at once."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        findings.fault("", f"cannot be read ({error.strerror})", "check its path, and that this user may read it")
    except UnicodeDecodeError as error:
        findings.fault("", f"is not UTF-8 text (octet {error.start + 1})", "save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        match = _POSITION.fullmatch(str(error))
        what = match["what"] if match else str(error)
        place = f"line {match['line']}, column {match['column']}" if match and match["line"] else "end of the file"
        findings.fault(place, f"this is not TOML ({what})", "correct it, then check again")
    raise ConfigFaults(findings.faults)
