# SPDX-License-Identifier: Apache-2.0
"""A process that reads files of a mount over and over and compares each byte,
while a test changes the configuration under it.

    with Reader(uid, {path: bytes}) as reader:
        ...
    assert not reader.errors and reader.reads > 100
"""
import json
import os
import signal
import time

import harness

ERRORS_KEPT = 10


def read_afresh(path):
    """From the daemon, not from the kernel's pages."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        with open(fd, 'rb', closefd=False) as f:
            return f.read()
    finally:
        os.close(fd)


class Reader:
    def __init__(self, uid, files, pause=0.0):
        self.uid, self.files, self.pause = uid, files, pause
        self.reads, self.errors = 0, []

    def _run(self, into):
        stop = []
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
        reads, errors = 0, []
        while not stop:
            for path, want in self.files.items():
                try:
                    if read_afresh(path) != want:
                        errors.append(f'{path}: wrong bytes')
                except OSError as e:
                    errors.append(str(e))
                reads += 1
                time.sleep(self.pause)
                if stop:
                    break
        with os.fdopen(into, 'w') as f:
            json.dump({'reads': reads, 'errors': errors[:ERRORS_KEPT],
                       'n_errors': len(errors)}, f)

    def __enter__(self):
        self.out, into = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(into)
            return self
        try:
            os.close(self.out)
            if self.uid:
                harness.demote(self.uid)()
            self._run(into)
        finally:
            os._exit(0)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGTERM)
        with os.fdopen(self.out) as f:
            told = f.read()
        os.waitpid(self.pid, 0)
        self.result = json.loads(told) if told else {'reads': 0, 'errors': ['it died']}
        self.reads, self.errors = self.result['reads'], self.result['errors']
