#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the bench rests on: the limit and the reader do what they count, a ratio
is not made of an unsteady limit, and targets are judged as they are written."""
import http.server
import json
import os
import subprocess
import sys
import threading

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', d) for d in ('bench', 'tools')]
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench                                                  # noqa: E402
import bench_cases                                            # noqa: E402
import bench_limit                                            # noqa: E402
import bench_targets                                          # noqa: E402
import bench_watch                                            # noqa: E402
import harness                                                # noqa: E402
import s3_client                                              # noqa: E402

BODY = bytes(range(256)) * 40           # 10,240 B


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_GET(self):
        status, data = 200, BODY
        if 'range' in self.headers:
            first, last = self.headers['range'][len('bytes='):].split('-')
            status, data = 206, BODY[int(first):int(last) + 1]
        with self.server.lock:
            self.server.seen.append((self.path, self.headers.get('range')))
        if self.path == '/gone':
            status, data = 404, b''
        self.send_response(status)
        self.send_header('content-length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        """A client that ends with an error leaves in the middle."""


def ask_limit(server, lines, *args):
    server.seen, server.connections = [], 0
    url = f'http://127.0.0.1:{server.server_address[1]}'
    return subprocess.run([bench_limit.program('limit'), *args], capture_output=True, text=True, timeout=60,
                          input=''.join(url + line + '\n' for line in lines))


def limit(tap, server):
    p = ask_limit(server, ['/a', '/b 0-99', '/a 100-1123'], '--in-flight', '4')
    doc = json.loads(p.stdout)
    tap.equal((doc['in_flight'], doc['requests'], doc['bytes']), (4, 3, 10240 + 100 + 1024), 'limit counts what it got')
    tap.equal(sorted(map(str, server.seen)),
              ["('/a', 'bytes=0-0')"] * 4 + ["('/a', 'bytes=100-1123')", "('/a', None)", "('/b', 'bytes=0-99')"],
              'it warms each connection, then asks for each line once')
    tap.equal(server.connections, 4, 'it keeps its connections')
    p = ask_limit(server, ['/a', '/gone'])
    tap.ok(p.returncode == 1 and p.stderr.endswith('/gone: status 404\n'), 'another status ends it', p)
    p = ask_limit(server, ['/a 0-99999'])
    tap.ok(p.returncode == 1 and p.stderr.endswith('short\n'), 'a short range ends it', p)


def reader(tap, top):
    os.makedirs(top + '/d/e')
    for name in ('one', 'd/two words', 'd/e/three'):
        with open(f'{top}/{name}', 'wb') as f:
            f.write(BODY)

    def run(lines, *args):
        return subprocess.run([os.path.abspath(bench_limit.program('reader')), *args], cwd=top, timeout=60,
                              capture_output=True, text=True, input='\n'.join(lines) + '\n')

    doc = json.loads(run(['0 10240 one', '5 100 d/two words', '0 10240 d/e/three'], '--threads', '2').stdout)
    tap.equal((doc['items'], doc['bytes']), (3, 20580), 'reader counts what it read')
    doc = json.loads(run(['0 4096 one', '4096 4096 one'], '--shared', '--threads', '2').stdout)
    tap.equal((doc['items'], doc['bytes']), (2, 8192), 'on one descriptor too')
    tap.equal(json.loads(run([], '--walk', '.').stdout)['items'], 5, 'a walk counts files and folders')
    p = run(['0 10241 one'])
    tap.ok(p.returncode == 1 and p.stderr == 'reader: one: short\n', 'a short file ends it', p)


def limits(tap):
    held = bench_limit.Limits()
    held.add(('radosgw', 0, 'seq1'), 16, 100.0)
    held.add(('radosgw', 0, 'seq1'), 64, 40.0)          # other numbers in flight may differ
    held.add(('radosgw', 0, 'seq1'), 16, 51.0)
    tap.equal(held.best(('radosgw', 0, 'seq1')), (75.5, 16), 'the best of 8, 16 and 64 in flight counts')
    try:
        held.add(('radosgw', 0, 'seq1'), 16, 49.0)
        tap.ok(False, 'a limit under half of the best of the run is an error')
    except bench_limit.Unsteady:
        tap.ok(True, 'a limit under half of the best of the run is an error')


def judged(tap):
    results, held = bench.Results(), bench_limit.Limits()

    def add(case, state, system, unit, **figures):
        results.add(('radosgw', 0, case, state, system), unit, figures)
    for value in (30.0, 60.0, 50.0):
        add('seq1', 'cold', 'datasetfs', 'MiB/s', value=value, cpu_per_gb=2.4, rss_mib=value)
        add('seq1', 'page', 'datasetfs', 'MiB/s', value=value, fuse_own=int(value == 60.0))
    add('seq1', 'cold', 's3fs', 'MiB/s', value=60.0)
    add('lstat', 'page', 'datasetfs', 'entries/s', value=100.0)
    add('lstat', 'page', 'ext4', 'entries/s', value=125.0)
    add('rand4k', 'cold', 'datasetfs', 'reads/s', value=45.0, fetched=6400, asked=200)
    held.add(('radosgw', 0, 'seq1'), 8, 125.0)
    held.add(('radosgw', 0, 'rand4k'), 16, 100.0)
    held.add(('radosgw', 0, 'rand4k'), 64, 400.0)
    got = {(t.case, t.what): (seen, met)
           for t, _, seen, met in bench_targets.Judge(results, held, bench_cases.BY_NAME).judged([0])}
    tap.equal(got, {('seq1', 'of limit'): (0.4, True), ('seq1', 'of s3fs'): (50 / 60, False),
                    ('seq1', 'cpu_per_gb'): (2.4, False), ('seq1', 'fuse_own'): (1, False),
                    ('lstat', 'time of ext4'): (1.25, True),
                    ('rand4k', 'of limit'): (0.45, False), ('rand4k', 'fetched of asked'): (32.0, True),
                    ('*', 'rss_mib'): (60.0, True)}, 'targets are judged by medians, counts by the highest, beside their own limit')


def trips(tap):
    def log(*rows):
        return [dict(zip(('start_ms', 'ms', 'connection'), r)) for r in rows]
    tap.equal(bench_watch.round_trips(log((0, 40, 1), (45, 20, 1), (70, 20, 1))), 4,
              'requests one after the other are a round trip each, a new connection one more')
    tap.equal(bench_watch.round_trips(log((0, 40, 1), (1, 40, 2), (2, 60, 3), (41, 20, 1))), 3,
              'those side by side are one')


def own(tap):
    tap.equal([bench_watch.own_requests(9, {'READ': 9}, 12), bench_watch.own_requests(9, {'READ': 9}, 0),
               bench_watch.own_requests(9, {'READ': 5, 'OPEN': 4}, 12)], [0, 9, 4],
              'a READ of a page that the kernel took back is not the mount\'s, others are')


def presigned(tap):
    s3 = s3_client.S3('http://examplebucket.s3.amazonaws.com', 'AKIAIOSFODNN7EXAMPLE',
                      'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'us-east-1')
    # The example of AWS, "Authenticating Requests: Using Query Parameters".
    tap.equal(s3.presigned('/test.txt', '20130524T000000Z', 86400).rpartition('=')[2],
              'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404', 'a presigned URL is as AWS signs it')


def main():
    tap = harness.Tap()
    server = Server(('127.0.0.1', 0), Store)
    server.lock = threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with harness.scratch() as top:
        limit(tap, server)
        reader(tap, top + '/files')
    server.shutdown()
    limits(tap)
    judged(tap)
    trips(tap)
    own(tap)
    presigned(tap)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
