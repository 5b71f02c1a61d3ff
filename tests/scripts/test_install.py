"""Installing and uninstalling below a folder: what lies where, and that an edited configuration is never lost.

Python is played by a script, because making an environment takes long; tests/systemd does it in earnest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIB = "usr/local/lib"
PLACES = (
    f"{LIB}/systemd/system/gatewayd.service",
    f"{LIB}/systemd/system/gatewayd.socket",
    f"{LIB}/sysusers.d/gatewayd.conf",
    f"{LIB}/tmpfiles.d/gatewayd.conf",
)

PYTHON = f"""\
#!/bin/sh
case "$2" in
    venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    pip) printf '#!%s\\n' "$0" > "$(dirname "$0")/gatewayd" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


class Site:
    """A copy of what is installed, the folder below which it is installed, and the two scripts."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.root = folder / "root"
        self._python = folder / "python"
        self._python.write_text(PYTHON)
        self._python.chmod(0o755)
        for name in ("gatewayd", "protocol", "conf", "systemd"):
            shutil.copytree(ROOT / name, self.source / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.source / "scripts").mkdir()
        for name in (
            "scripts/install",
            "scripts/uninstall",
            "setup.cfg",
            "setup.py",
            "pyproject.toml",
            "constraints.txt",
            "LICENSE",
            "README.md",
        ):
            shutil.copy2(ROOT / name, self.source / name)
        self.shipped = self.source / "conf" / "gatewayd.toml"
        self.config = self.root / "etc/gatewayd/gatewayd.toml"

    def install(self, *words: str) -> str:
        return self._run("install", *words)

    def uninstall(self, *words: str) -> str:
        return self._run("uninstall", *words)

    def change(self) -> None:
        """Make another release of the source."""
        with (self.source / "gatewayd" / "message.py").open("a") as module:
            module.write("# another release\n")

    def releases(self, prefix: str = "opt/gatewayd") -> set[str]:
        return {path.name for path in (self.root / prefix / "releases").iterdir()}

    def current(self) -> str:
        return (self.root / "opt/gatewayd/current").readlink().name

    def _run(self, name: str, *words: str) -> str:
        done = subprocess.run(
            [self.source / "scripts" / name, "--root", self.root, *words],
            env=dict(os.environ, PYTHON=str(self._python)),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_everything_is_put_in_place(site: Site) -> None:
    said = site.install()
    assert all((site.root / place).is_file() for place in PLACES)
    (release,) = site.releases()
    assert site.current() == release
    assert (site.root / "usr/local/bin/gatewayd").readlink() == Path("/opt/gatewayd/current/bin/gatewayd")
    assert site.config.read_text() == site.shipped.read_text()
    command = site.root / "opt/gatewayd/releases" / release / "bin/gatewayd"
    assert command.read_text() == f"#!/opt/gatewayd/releases/{release}/bin/python\n", "it will not lie below DIR"
    assert "systemctl enable --now gatewayd.socket gatewayd.service" in said


def test_a_compiled_release_is_another_one(site: Site) -> None:
    site.install()
    site.install("--compiled")
    assert len(site.releases()) == 2


def test_what_the_configuration_may_name_is_put_beside_it(site: Site) -> None:
    site.install()
    for folder in ("templates", "numbers"):
        shipped = {path.name: path.read_text() for path in (site.source / "conf" / folder).iterdir()}
        assert {path.name: path.read_text() for path in (site.config.parent / folder).iterdir()} == shipped
    share = site.root / "usr/local/share/gatewayd"
    assert share.readlink() == Path("/opt/gatewayd/current/share/gatewayd")
    shown = site.root / "opt/gatewayd/releases" / site.current() / "share/gatewayd"
    assert {path.name for path in shown.iterdir()} == {path.name for path in (site.source / "conf").iterdir()}
    assert (shown / "billing/orange_fr.toml").is_file()
    site.uninstall()
    assert not share.is_symlink()


def test_templates_that_were_edited_or_removed_stay_so(site: Site) -> None:
    site.install()
    edited, removed, followed = (
        site.config.parent / "templates" / name for name in ("10-otp.toml", "90-stop.toml", "20-parcel.toml")
    )
    edited.write_text("mine")
    removed.unlink()
    site.install()
    assert not edited.with_suffix(".toml.new").exists(), "nothing new to show"
    for path in (edited, removed, followed):
        (site.source / "conf/templates" / path.name).write_text("new")
    site.install()
    assert edited.read_text() == "mine"
    assert edited.with_suffix(".toml.new").read_text() == "new"
    assert not removed.exists()
    assert followed.read_text() == "new"


def test_a_rule_set_or_a_template_makes_another_release(site: Site) -> None:
    site.install()
    for name in ("gatewayd/billing/rules/orange_fr.toml", "conf/templates/10-otp.toml"):
        with (site.source / name).open("a") as file:
            file.write("# another\n")
        before = site.current()
        site.install()
        assert site.current() != before


def test_another_prefix_is_in_the_units_too(site: Site) -> None:
    site.install("--prefix", "/srv/gw")
    assert len(site.releases("srv/gw")) == 1
    unit = (site.root / PLACES[0]).read_text()
    assert "ExecStart=/srv/gw/current/bin/gatewayd run" in unit
    assert "/opt/" not in unit
    site.uninstall("--prefix", "/srv/gw")
    assert not (site.root / "srv/gw").exists()


def test_once_more_changes_nothing(site: Site) -> None:
    site.install()
    before = site.current()
    said = site.install()
    assert "in place already" in said
    assert (site.current(), site.releases()) == (before, {before})


def test_an_environment_that_was_left_half_made_is_made_again(site: Site) -> None:
    site.install()
    (site.root / "opt/gatewayd/releases" / site.current() / ".complete").unlink()
    assert "making its environment" in site.install()


def test_a_newer_release_leaves_the_one_before(site: Site) -> None:
    site.install()
    first = site.current()
    site.change()
    site.install()
    second = site.current()
    assert site.releases() == {first, second}
    site.change()
    said = site.install()
    assert site.releases() == {second, site.current()}
    assert f"release {first}: removed" in said


def test_a_release_that_still_runs_stays(site: Site) -> None:
    site.install()
    first = site.current()
    running = ["sh", "-c", "read line", f"/opt/gatewayd/releases/{first}/bin/gatewayd"]
    with subprocess.Popen(running, stdin=subprocess.PIPE):
        for _ in range(2):
            site.change()
            site.install()
        assert first in site.releases()


def test_an_edited_configuration_is_kept_and_the_new_one_lies_beside_it(site: Site) -> None:
    site.install()
    site.config.write_text("mine")
    assert "yours is kept\n" in site.install()
    assert not site.config.with_suffix(".toml.new").exists(), "nothing new to show"
    site.shipped.write_text("new")
    assert "as gatewayd.toml.new" in site.install()
    assert site.config.read_text() == "mine"
    assert site.config.with_suffix(".toml.new").read_text() == "new"


def test_a_configuration_as_shipped_follows_the_release(site: Site) -> None:
    site.install()
    site.shipped.write_text("new")
    site.install()
    assert site.config.read_text() == "new"


def test_uninstalling_keeps_what_is_not_ours_to_remove(site: Site) -> None:
    site.install()
    spool = site.root / "var/lib/gatewayd/worker-0.spool"
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.write_text("messages")
    foreign = site.root / "opt/gatewayd/notes"
    foreign.write_text("mine")
    for _ in range(2):
        said = site.uninstall()
        assert "kept: /etc/gatewayd, /var/lib/gatewayd and the user" in said
    assert not any((site.root / place).exists() for place in PLACES)
    assert not (site.root / "usr/local/bin/gatewayd").is_symlink()
    assert [path.name for path in (site.root / "opt/gatewayd").iterdir()] == ["notes"]
    assert spool.read_text() == "messages"
    assert site.config.exists()
    site.uninstall("--purge")
    assert not spool.parent.exists()
    assert not site.config.parent.exists()
    passwd = site.root / "etc/passwd"
    assert not passwd.exists() or "gatewayd" not in passwd.read_text()


@pytest.mark.parametrize("name", ["install", "uninstall"])
@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["--prefix", "relative"], 1), (["--prefix", "/a/'b"], 1), (["--what"], 2)]
)
def test_the_command_line(name: str, words: list[str], code: int) -> None:
    done = subprocess.run([ROOT / "scripts" / name, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code
    assert "scripts/" in done.stdout + done.stderr
