# SPDX-License-Identifier: Apache-2.0
"""What a daemon costs while something is measured: CPU, memory, the kernel's
requests to it.
"""
import contextlib
import os
import subprocess
import threading

SAMPLE_SECONDS = 0.05
TICKS = os.sysconf('SC_CLK_TCK')


def cpu_seconds(pid):
    """Of that process, all threads, user and kernel; children it waited for too."""
    with open(f'/proc/{pid}/stat') as f:
        fields = f.read().rpartition(')')[2].split()
    return sum(int(x) for x in fields[11:15]) / TICKS


def rss_anon_mib(pid):
    with open(f'/proc/{pid}/status') as f:
        for line in f:
            if line.startswith('RssAnon'):
                return int(line.split()[1]) / 1024
    return 0.0


class Watch:
    """with Watch(pid) as w: ...; then w.cpu and w.rss_mib (the highest)."""

    def __init__(self, pid):
        self.pid, self.cpu, self.rss_mib = pid, None, None

    def sample(self):
        with contextlib.suppress(OSError):
            self.rss_mib = max(self.rss_mib or 0, rss_anon_mib(self.pid))

    def run(self):
        while not self.stop.wait(SAMPLE_SECONDS):
            self.sample()

    def __enter__(self):
        if self.pid:
            self.stop, self.thread = threading.Event(), threading.Thread(target=self.run)
            self.before = cpu_seconds(self.pid)
            self.thread.start()
        return self

    def __exit__(self, *_):
        if self.pid:
            self.stop.set()
            self.thread.join()
            self.sample()
            with contextlib.suppress(OSError):
                self.cpu = cpu_seconds(self.pid) - self.before


class FuseCount:
    """Requests of the kernel to one mount, by its tracepoint (Linux 6.13); only
    in a mount namespace of one's own."""

    def __init__(self, top):
        self.top, self.instance = os.path.join(top, 'tracefs'), None
        os.makedirs(self.top, exist_ok=True)
        if subprocess.run(['mount', '-t', 'tracefs', 'tracefs', self.top], stderr=subprocess.DEVNULL).returncode:
            return
        if os.path.isdir(self.top + '/events/fuse/fuse_request_send'):
            self.instance = f'{self.top}/instances/bench-{os.getpid()}'
            os.mkdir(self.instance)

    def write(self, name, text):
        with open(os.path.join(self.instance, name), 'w') as f:
            f.write(text)

    def begin(self, folder):
        if self.instance:
            event = 'events/fuse/fuse_request_send/'
            self.write('trace', '')
            self.write(event + 'filter', f'connection=={os.minor(os.stat(folder).st_dev)}')
            self.write(event + 'enable', '1')

    def end(self):
        """How many; None where the kernel cannot tell."""
        if not self.instance:
            return None
        self.write('events/fuse/fuse_request_send/enable', '0')
        n = 0
        for cpu in os.listdir(self.instance + '/per_cpu'):
            with open(f'{self.instance}/per_cpu/{cpu}/stats') as f:
                for line in f:
                    if line.startswith(('entries:', 'overrun:')):
                        n += int(line.split()[1])
        return n

    def opcodes(self):
        """Of those still in the buffer: for a message."""
        seen = {}
        with open(self.instance + '/trace') as f:
            for line in f:
                if '(FUSE_' in line:
                    name = line.split('(FUSE_')[1].split(')')[0]
                    seen[name] = seen.get(name, 0) + 1
        return seen

    def close(self):
        if self.instance:
            os.rmdir(self.instance)


def round_trips(log):
    """Of a proxy's log: how many requests had to wait for one before them, each
    counted once, and one more for each new connection that one of them waited
    for."""
    trips, end, known = 0, -1, set()
    for e in sorted(log, key=lambda e: e['start_ms']):
        is_new = e['connection'] not in known
        known.add(e['connection'])
        if e['start_ms'] < end:
            end = min(end, e['start_ms'] + e['ms'])
            continue
        trips += 2 if is_new else 1
        end = e['start_ms'] + e['ms']
    return trips
