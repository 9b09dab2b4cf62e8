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


class Tracepoint:
    """Counts one event of the kernel, in a buffer of its own."""

    def __init__(self, tracefs, event):
        self.event = f'events/{event}/'
        self.folder = f'{tracefs}/instances/bench-{os.getpid()}-{os.path.basename(event)}'
        os.mkdir(self.folder)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w') as f:
            f.write(text)

    def begin(self, filter):
        self.write('trace', '')
        self.write(self.event + 'filter', filter)
        self.write(self.event + 'enable', '1')

    def end(self):
        self.write(self.event + 'enable', '0')
        n = 0
        for cpu in os.listdir(self.folder + '/per_cpu'):
            with open(f'{self.folder}/per_cpu/{cpu}/stats') as f:
                n += sum(int(line.split()[1]) for line in f if line.startswith(('entries:', 'overrun:')))
        return n

    def words(self, before, after):
        """What stands between those two, and how often: of what is still there."""
        seen = {}
        with open(self.folder + '/trace') as f:
            for line in f:
                if before in line:
                    word = line.split(before)[1].split(after)[0]
                    seen[word] = seen.get(word, 0) + 1
        return seen

    def close(self):
        os.rmdir(self.folder)


class FuseCount:
    """Requests of the kernel to one mount, by its tracepoint (Linux 6.13); only
    in a mount namespace of one's own.  Pages that the kernel took back in the
    meantime (DAMON does on some machines, with memory to spare) are counted
    too: to read them again is no fault of the mount."""

    def __init__(self, top):
        tracefs, self.requests, self.reclaimed = os.path.join(top, 'tracefs'), None, None
        os.makedirs(tracefs, exist_ok=True)
        if subprocess.run(['mount', '-t', 'tracefs', 'tracefs', tracefs], stderr=subprocess.DEVNULL).returncode:
            return
        if os.path.isdir(tracefs + '/events/fuse/fuse_request_send'):
            self.requests = Tracepoint(tracefs, 'fuse/fuse_request_send')
            self.reclaimed = Tracepoint(tracefs, 'filemap/mm_filemap_delete_from_page_cache')

    def watch_pages(self, folder):
        """From here to end(): before what is to be found again is read."""
        if self.requests:
            self.reclaimed.begin(f's_dev=={os.minor(os.stat(folder).st_dev)}')

    def begin(self, folder):
        if self.requests:
            self.requests.begin(f'connection=={os.minor(os.stat(folder).st_dev)}')

    def end(self):
        """What there was to count, by name; {} where the kernel cannot tell."""
        if not self.requests:
            return {}
        fuse, reclaimed, opcodes = self.requests.end(), self.reclaimed.end(), self.requests.words('(FUSE_', ')')
        return dict(fuse=fuse, reclaimed=reclaimed, fuse_own=own_requests(fuse, opcodes, reclaimed),
                    note=f'{opcodes}' if fuse else '')

    def close(self):
        if self.requests:
            self.requests.close()
            self.reclaimed.close()


def own_requests(fuse, opcodes, reclaimed):
    """Those that no reclaimed page explains: a READ brings back one at least."""
    return fuse - min(opcodes.get('READ', 0), reclaimed)


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
