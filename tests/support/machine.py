"""A small machine with a real systemd, in a root filesystem and namespaces of its own; the host's are never touched.

The filesystem is a Debian made once with debootstrap, and the packages that the daemon needs are fetched once; both are
kept in a cache. What happens in a machine is written to memory and gone with it.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import hashlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/gatewayd-test")
CGROUP = Path("/sys/fs/cgroup/gatewayd-test")
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,iproute2"
TOOLS = ("debootstrap", "unshare", "nsenter", "setpriv", "ip", "apt-get")
NAMESPACES = ("--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--net", "--kill-child")
CLEAN = ("env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8")
BOOT_PATIENCE_S = 60


class NoMachine(Exception):
    """Why there can be none here."""


class Machine:
    """One that runs. ``first`` is its systemd, by the host's number."""

    def __init__(self, outside: subprocess.Popen[bytes], first: int) -> None:
        self._outside = outside
        self._first = first

    def run(self, *command: str, timeout_s: float = 60, check: bool = True) -> str:
        """Run a command inside; returns what it says. Raises AssertionError when it fails and ``check`` is on."""
        done = subprocess.run(
            [*self.enter(), *CLEAN, *command], capture_output=True, text=True, timeout=timeout_s, check=False
        )
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{said}"
        return said

    def shell(self, script: str, timeout_s: float = 60) -> str:
        """Run a script inside."""
        return self.run("bash", "-euo", "pipefail", "-c", script, timeout_s=timeout_s)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def enter(self, *namespaces: str) -> tuple[str, ...]:
        """The beginning of a command that runs inside; in all namespaces if none are named."""
        return ("nsenter", "--target", str(self._first), *(namespaces or ("--all",)))

    def stop(self) -> None:
        """The end of it and of all that runs in it."""
        self._outside.kill()
        self._outside.wait()


class Journal:
    """What a unit and systemd say about it, line by line, from now on."""

    def __init__(self, machine: Machine, unit: str) -> None:
        follow = ("journalctl", "--follow", "--lines=0", "--output=cat", f"--unit={unit}")
        command = [*machine.enter(), *CLEAN, *follow]
        # A group of their own: nsenter and what it started inside end together.
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.seen: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def wait(self, words: str, timeout_s: float = 20) -> str:
        """The next line that holds these words."""
        while True:
            try:
                line = self._lines.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(f"the journal does not say {words!r}, but:\n{''.join(self.seen)}") from None
            self.seen.append(line)
            if words in line:
                return line

    def close(self) -> None:
        """Listen no longer."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reading.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)


@contextlib.contextmanager
def booted() -> Iterator[Machine]:
    """A machine, with our tree read-only in /source and the packages in /wheels. Raises NoMachine."""
    _check_host()
    with _locked("build.lock"):
        rootfs = _rootfs()
        wheels = _wheels(rootfs)
    script = Path(__file__).with_name("boot_machine.sh")
    with tempfile.TemporaryDirectory() as host, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(f"{host}/notify")
        notices.settimeout(BOOT_PATIENCE_S)
        # If we are killed, so is the machine.
        command = ["setpriv", "--pdeathsig=KILL", "unshare", *NAMESPACES, "--propagation=private"]
        command += ["bash", *map(str, (script, rootfs, ROOT, wheels, host))]
        with (CACHE / "console.log").open("wb") as console:
            outside = subprocess.Popen(command, stdout=console, stderr=console, preexec_fn=_own_cgroup)  # noqa: PLW1509
        try:
            yield _wait_for(outside, notices)
        finally:
            outside.kill()
            outside.wait()
            with contextlib.suppress(OSError):
                CGROUP.rmdir()


def _wait_for(outside: subprocess.Popen[bytes], notices: socket.socket) -> Machine:
    try:
        while b"READY=1" not in notices.recv(4096).splitlines():
            pass
    except TimeoutError:
        console = (CACHE / "console.log").read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise NoMachine(f"systemd does not come up in it: {console}") from None
    finally:
        # It goes on telling, and would wait for ever for somebody who does not listen.
        notices.close()
    children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    return Machine(outside, int(children.read_text(encoding="ascii").split()[0]))


def _check_host() -> None:
    if os.geteuid() != 0:
        raise NoMachine("only root can boot one")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise NoMachine(f"{', '.join(missing)} not installed")
    probe = ["unshare", *NAMESPACES, "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMachine(f"no namespaces here: {done.stderr.strip()}")
    CACHE.mkdir(parents=True, exist_ok=True)


def _own_cgroup() -> None:
    """Where cgroup2 is mounted, systemd wants a group without strangers for its root."""
    with contextlib.suppress(OSError):
        if (CGROUP.parent / "cgroup.procs").exists():
            CGROUP.mkdir(exist_ok=True)
            (CGROUP / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def _rootfs() -> Path:
    codename = _of_os_release("VERSION_CODENAME")
    architecture = _said("dpkg", "--print-architecture")
    place = CACHE / f"{codename}-{_digest(codename, architecture, PACKAGES)}"
    if not place.exists():
        making = place.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        with (CACHE / "debootstrap.log").open("wb") as log:
            command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", codename, str(making), _mirror()]
            done = subprocess.run(command, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise NoMachine(f"debootstrap failed, see {CACHE}/debootstrap.log")
        making.rename(place)
    return place


def _wheels(rootfs: Path) -> Path:
    """What pip needs inside, where there is no network."""
    version = _said("chroot", str(rootfs), "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = [line for line in setup["options"]["install_requires"].splitlines() if line]
    constraints = ROOT / "constraints.txt"
    place = CACHE / f"wheels-{_digest(version, *wanted, constraints.read_text(encoding='utf-8'))}"
    if not place.exists():
        making = place.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--dest", str(making), "-c", str(constraints)]
        command += ["--python-version", version, "--only-binary=:all:", *wanted, "setuptools >= 77"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoMachine(f"the packages cannot be fetched: {done.stderr[-500:]}")
        making.rename(place)
    return place


def _mirror() -> str:
    """The one that apt itself uses."""
    said = _said("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    if not said:
        raise NoMachine("apt has no mirror")
    return said.splitlines()[0]


def _of_os_release(name: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key == name:
                return value.strip('"')
    raise NoMachine("this is not a Debian")


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMachine(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """One at a time: others wait until the cache is filled."""
    with (CACHE / name).open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
