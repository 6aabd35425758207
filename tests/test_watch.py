"""A signal is raised in the main thread, whichever thread the system hands it to."""

import os
import subprocess
import sys

import pytest

from evonas.interrupts import PATIENCE

pytestmark = pytest.mark.slow

WAITING = """
import os, signal, threading, time
from evonas.interrupts import Interrupted, Watch

def tell_another():
    time.sleep(0.5)  # by then the main thread waits
    signal.pthread_kill(other.ident, signal.SIGTERM)

watch = Watch()
watch.start()
other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
other.start()
threading.Thread(target=tell_another, daemon=True).start()
try:
    os.read(os.pipe()[0], 1)
except Interrupted:
    watch.close()
    time.sleep(1)
    os._exit(3)
"""


def test_a_signal_that_another_thread_gets_ends_what_the_main_thread_waits_for() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WAITING]
    done = subprocess.run(command, env=environment, timeout=PATIENCE, check=False)
    assert done.returncode == 3
