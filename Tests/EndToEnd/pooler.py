"""PgBouncer of Debian's package, between a hub and PostgreSQL."""

import contextlib
import os
import shutil
import socket
import subprocess

from processes import scratch, wait_until
from rig import free_port


@contextlib.contextmanager
def pgbouncer(database, mode):
    """The address of a pool of that mode in front of the database."""
    folder, port = scratch("pool"), free_port()
    (folder / "pool.ini").write_text(
        f"[databases]\nhub = host=127.0.0.1 port={database.port} dbname=hub user=hub\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
        "ignore_startup_parameters = extra_float_digits\n")
    account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [*account, "/usr/sbin/pgbouncer", str(folder / "pool.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True

    try:
        wait_until(answers, "PgBouncer listens")
        yield f"postgresql://hub@127.0.0.1:{port}/hub"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
