"""Programs and processes of this machine, as the tests start and see them."""

import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path

from protocol import ROOT

def hub_program():
    if given := os.environ.get("HUB_BIN"):
        return Path(given).resolve()
    for build in ("release", "debug"):
        if (program := ROOT / ".build" / build / "hub").exists():
            return program
    raise AssertionError("no hub to test: build it (swift build) or say where it is in HUB_BIN")


def scratch(name):
    """A folder that the user postgres may enter too."""
    folder = Path(tempfile.mkdtemp(prefix=f"hub-e2e-{name}-"))
    folder.chmod(0o755)
    return folder


def run(*command, text=None, **how):
    """Runs a program to its end; its stdout."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, timeout=60, **how)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# Processes


def processes():
    """pid → (parent, environment and command line as one text, state) of every running process."""
    table = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile
        table[int(entry.name)] = (int(stat[1]), command, stat[0])
    return table


def descendants(pid):
    table = processes()
    family, grown = {pid}, True
    while grown:
        grown = False
        for child, (parent, _, _) in table.items():
            if parent in family and child not in family:
                family.add(child)
                grown = True
    return family - {pid}


def mentioning(text):
    """Living processes whose command line names `text`: processes that a data folder has left."""
    return {
        pid: command for pid, (_, command, state) in processes().items()
        if text in command and state != "Z" and pid != os.getpid()}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.05)
    return result
