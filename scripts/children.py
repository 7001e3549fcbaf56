"""Processes that a script starts and owns: they end with it, also when it is killed."""

import ctypes
import os
import shlex
import signal
import socket
import subprocess


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def embedded_facts(data):
    """What the embedded services tell in `embedded.env`."""
    facts = {}
    for line in (data / "embedded.env").read_text().splitlines():
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and not line.startswith("#"):
            facts[name] = shlex.split(value)[0]
    return facts


def without_settings():
    """The environment without settings of a hub, which would override those of the script."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}


def dies_with_us():
    """Called in the new process: it gets SIGTERM when the thread that made it ends, and no Ctrl-C of the terminal."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Children:
    def __init__(self, folder):
        """`folder` keeps a log for each."""
        self._folder = folder
        self._processes = {}

    def __getitem__(self, name):
        return self._processes[name]

    def start(self, name, command, ready=None, environment=None, **how):
        """With `ready`, waits for a line on stdout that begins with it, and returns this line."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = self._processes[name] = subprocess.Popen(
                command, cwd=self._folder, env={**without_settings(), **(environment or {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if ready else log, stderr=log, preexec_fn=dies_with_us, **how)
        if ready is None:
            return None
        said = process.stdout.readline()
        while said and not said.startswith(ready):
            said = process.stdout.readline()
        if not said:
            raise RuntimeError(f"{name} did not start (exit {process.wait()}):\n{self.log(name)}")
        return said.decode().strip()

    def log(self, name):
        return (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def is_running(self, name):
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def stop(self, *names, number=signal.SIGTERM):
        """Ends these together, and waits for them."""
        running = [self._processes[name] for name in names if self.is_running(name)]
        for process in running:
            process.send_signal(number)
        for process in running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
