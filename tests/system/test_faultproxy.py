#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fault proxy does what its rules say, counts right, and is no bottleneck:
a test that relies on it would otherwise prove nothing."""
import http.client
import http.server
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ds_servers import FaultProxy, NotInstalled, Radosgw       # noqa: E402
from harness import Tap, scratch                               # noqa: E402

CONTENT = bytes(range(256)) * 4096          # 1 MiB
SPEED_SIZE = 192 << 20
# On an idle machine 0.93 to 0.98 were seen, and FAULTPROXY_RATIO=0.9 passes;
# what other work leaves of two processors says less.
SPEED_RATIO = float(os.environ.get('FAULTPROXY_RATIO', '0.6'))
SPEED_ROUNDS = 20


class Upstream(http.server.BaseHTTPRequestHandler):
    """GET, HEAD and PUT of CONTENT, with ranges, and chunked on request."""
    protocol_version = 'HTTP/1.1'
    seen = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.seen.append((self.command, self.path))
        body, status, extra = CONTENT, 200, {}
        if self.headers.get('Range'):
            first, last = map(int, self.headers['Range'][6:].split('-'))
            body, status = CONTENT[first:last + 1], 206
            extra['Content-Range'] = f'bytes {first}-{last}/{len(CONTENT)}'
        self.send_response(status)
        self.send_header('ETag', '"right"')
        for name, value in extra.items():
            self.send_header(name, value)
        if 'chunked' in self.path:
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            for i in range(0, len(body), 70001):
                part = body[i:i + 70001]
                self.wfile.write(b'%x;x=y\r\n%s\r\n' % (len(part), part))
            self.wfile.write(b'0\r\nTrailer: t\r\n\r\n')
            return
        if 'until-close' in self.path:
            self.send_header('Connection', 'close')
            self.close_connection = True
        else:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_PUT(self):
        if self.headers.get('Transfer-Encoding') == 'chunked':
            body = b''
            while True:
                n = int(self.rfile.readline().split(b';')[0], 16)
                body += self.rfile.read(n)
                self.rfile.readline()
                if not n:
                    break
        else:
            body = self.rfile.read(int(self.headers['Content-Length']))
        self.seen.append(('PUT', self.path))
        answer = b'same' if body == CONTENT else b'other %d' % len(body)
        self.send_response(200)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, *_):
        """A connection that a fault has cut is no news."""


def get(proxy, path='/b/k', method='GET', headers=None, body=None, conn=None, timeout=20):
    """(status, headers, body); the body may be short, as http.client tells."""
    c = conn or http.client.HTTPConnection(proxy.endpoint[len('http://'):], timeout=timeout)
    try:
        c.request(method, path, body=body, headers=headers or {},
                  encode_chunked='Transfer-Encoding' in (headers or {}))
        r = c.getresponse()
        try:
            data = r.read()
        except http.client.IncompleteRead as e:
            return r.status, r.headers, e.partial, 'incomplete'
        return r.status, r.headers, data, 'whole'
    finally:
        if conn is None:
            c.close()


def timed(call):
    begin = time.monotonic()
    result = call()
    return time.monotonic() - begin, result


def check_passing(tap, proxy):
    conn = http.client.HTTPConnection(proxy.endpoint[len('http://'):], timeout=20)
    ok = all(get(proxy, '/b/%d' % i, conn=conn)[2] == CONTENT for i in range(20))
    tap.ok(ok, 'twenty bodies pass unchanged over one connection')
    conn.close()
    tap.equal(proxy.stats('/b/')['connections'], 1, 'one connection of the client is one here')
    tap.equal(get(proxy, '/chunked')[2], CONTENT, 'a chunked body passes, with extensions and a trailer')
    tap.equal(get(proxy, '/until-close')[2], CONTENT, 'a body that ends with the connection passes')
    s, h, data, _ = get(proxy, method='HEAD')
    tap.equal((s, h['Content-Length'], data), (200, str(len(CONTENT)), b''), 'HEAD has a length and no body')
    s, h, data, _ = get(proxy, headers={'Range': 'bytes=100-199'})
    tap.equal((s, data, h['Content-Range']), (206, CONTENT[100:200], f'bytes 100-199/{len(CONTENT)}'),
              'ranges pass')
    tap.equal(get(proxy, method='PUT', body=CONTENT)[2], b'same', 'a body of a request passes')
    chunks = [CONTENT[i:i + 99999] for i in range(0, len(CONTENT), 99999)]
    tap.equal(get(proxy, method='PUT', body=iter(chunks), headers={'Transfer-Encoding': 'chunked'})[2], b'same',
              'a chunked body of a request passes')


def check_counts(tap, proxy):
    proxy.reset()
    get(proxy, '/b/x?q=1', headers={'Range': 'bytes=0-9'})
    get(proxy, '/b/x?q=2')
    get(proxy, '/b/y', method='PUT', body=CONTENT)
    get(proxy, '/other')
    s = proxy.stats('/b/')
    tap.equal((s['requests'], s['bytes_sent'], s['bytes_received'], s['methods']),
              (3, 10 + len(CONTENT) + 4, len(CONTENT), {'GET': 2, 'PUT': 1}), 'requests and bytes are counted by prefix')
    tap.equal([(e['method'], e['target'], e.get('range'), e['status'], e['sent']) for e in proxy.log()][:2],
              [('GET', '/b/x?q=1', 'bytes=0-9', 206, 10), ('GET', '/b/x?q=2', None, 200, len(CONTENT))],
              'the log has one line an exchange')


def check_selection(tap, proxy):
    proxy.rules([{'method': 'GET', 'path': '^/b/k[?]', 'status': 503, 'after': 1, 'times': 2}])
    tap.equal([get(proxy, '/b/k?1')[0] for _ in range(5)], [200, 503, 503, 200, 200], 'after and times')
    tap.equal(proxy.hits(), [2], 'a rule counts its hits')
    tap.equal([get(proxy, '/b/k')[0], get(proxy, '/b/k?1', method='HEAD')[0]], [200, 200],
              'another path or method is left alone')
    proxy.rules([{'every': 3, 'status': 500}])
    tap.equal([get(proxy)[0] for _ in range(6)], [200, 200, 500, 200, 200, 500], 'every')
    proxy.rules([{'range': '=4096-', 'status': 500}, {'path': 'k', 'status': 404}])
    tap.equal([get(proxy, headers={'Range': 'bytes=4096-5000'})[0], get(proxy)[0]], [500, 404],
              'the first rule that matches is used')
    for bad in ([{'delay': 1}], [{'delay_ms': 'x'}], [{'path': '('}], [{'status': 99}], {}):
        try:
            proxy.rules(bad)
            tap.ok(False, f'{bad} is refused')
        except ValueError as e:
            tap.ok(' 400 ' in str(e), f'{bad} is refused')


def check_faults(tap, proxy):
    n = len(CONTENT)
    proxy.rules([{'status': 429, 'body': '<Error/>', 'headers': {'Retry-After': '1'}}])
    s, h, data, _ = get(proxy)
    tap.equal((s, h['Retry-After'], data), (429, '1', b'<Error/>'), 'a status with header and body')
    s, _, data, _ = get(proxy, method='PUT', body=CONTENT)
    tap.equal((s, data), (429, b'<Error/>'), 'a status in answer to a body')

    proxy.rules([{'cut_at': 1000}])
    s, h, data, how = get(proxy)
    tap.equal((s, h['Content-Length'], data, how), (200, str(n), CONTENT[:1000], 'incomplete'),
              'cut: the announced length does not come')
    proxy.rules([{'short': 1000}])
    s, h, data, how = get(proxy)
    tap.equal((s, h['Content-Length'], data, how), (200, '1000', CONTENT[:1000], 'whole'),
              'short: a whole answer of fewer bytes')
    for at in (0, 70000, n - 1):
        proxy.rules([{'corrupt_at': at}])
        data = get(proxy)[2]
        diff = [i for i in range(n) if data[i] != CONTENT[i]] if len(data) == n else None
        tap.equal(diff, [at], f'corrupt: byte {at} and no other')
    proxy.rules([{'headers': {'Content-Range': 'bytes 0-9/99', 'ETag': None}}])
    _, h, data, _ = get(proxy, headers={'Range': 'bytes=100-199'})
    tap.equal((h['Content-Range'], h['ETag'], data), ('bytes 0-9/99', None, CONTENT[100:200]),
              'headers are replaced and taken out')

    proxy.rules([{'drop': True}])
    try:
        get(proxy)
        tap.ok(False, 'drop: no answer')
    except (http.client.RemoteDisconnected, ConnectionResetError):
        tap.ok(True, 'drop: no answer')
    proxy.rules([{'reset_at': 5000}])
    try:
        _, _, data, how = get(proxy)
        tap.ok(False, 'reset: the connection is reset', (len(data), how))
    except ConnectionResetError:
        tap.ok(True, 'reset: the connection is reset')


def check_times(tap, proxy):
    proxy.rules([{'delay_ms': 200}])
    took, _ = timed(lambda: get(proxy))
    tap.ok(0.2 <= took < 1, 'delay', took)
    proxy.rules([{'ttfb_ms': 200}])
    took, _ = timed(lambda: get(proxy))
    tap.ok(0.2 <= took < 1, 'ttfb', took)
    proxy.rules([{'stall_ms': 300, 'stall_at': 1000}])
    took, (_, _, data, how) = timed(lambda: get(proxy))
    tap.ok(0.3 <= took < 1.5 and data == CONTENT, 'stall: late and whole', took)
    proxy.rules([{'rate': 2 << 20}])
    took, (_, _, data, _) = timed(lambda: get(proxy))
    tap.ok(0.4 <= took < 2 and data == CONTENT, 'rate: 1 MiB at 2 MiB/s in about 0.5 s', took)
    proxy.reset()

    proxy.latency(50)
    conn = http.client.HTTPConnection(proxy.endpoint[len('http://'):], timeout=20)
    first, _ = timed(lambda: get(proxy, conn=conn))
    second, _ = timed(lambda: get(proxy, conn=conn))
    conn.close()
    tap.ok(0.1 <= first < 0.3 and 0.05 <= second < 0.2, 'latency: two round trips, then one', (first, second))
    proxy.reset()


def check_many_stalled(tap, proxy):
    """256 stalled requests cost the others nothing, and a client that has gone
    away is not waited for."""
    proxy.rules([{'path': '/slow', 'delay_ms': 60000}])
    socks = []
    for i in range(256):
        s = socket.create_connection(proxy.endpoint[len('http://'):].split(':'))
        s.sendall(b'GET /slow/%d HTTP/1.1\r\nHost: x\r\n\r\n' % i)
        socks.append(s)
    end = time.monotonic() + 10
    while proxy.stats()['in_flight'] != 256 and time.monotonic() < end:
        time.sleep(0.02)
    tap.equal(proxy.stats()['in_flight'], 256, '256 requests are held')
    took, (_, _, data, _) = timed(lambda: get(proxy))
    tap.ok(took < 0.5 and data == CONTENT, 'another request passes meanwhile', took)
    before = cpu_ticks(proxy.process.pid)
    time.sleep(0.5)
    tap.ok(cpu_ticks(proxy.process.pid) - before <= 2, 'no processor time while all wait')
    for s in socks:
        s.close()
    end = time.monotonic() + 10
    while proxy.stats()['in_flight'] and time.monotonic() < end:
        time.sleep(0.02)
    tap.equal(proxy.stats()['in_flight'], 0, 'whoever hung up is forgotten at once')


def cpu_ticks(pid):
    with open(f'/proc/{pid}/stat') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])


def check_server_gone(tap, proxy, server):
    """A kept connection that the server has closed is opened again unseen."""
    conn = http.client.HTTPConnection(proxy.endpoint[len('http://'):], timeout=20)
    ok = True
    for _ in range(5):
        ok &= get(proxy, '/until-close', conn=conn)[2] == CONTENT
        ok &= get(proxy, '/b/k', conn=conn)[2] == CONTENT
    conn.close()
    tap.ok(ok, 'the server may close its connections')
    server.shutdown()
    server.server_close()
    try:
        get(proxy)
        tap.ok(False, 'a dead server is no answer')
    except (http.client.RemoteDisconnected, ConnectionResetError):
        tap.ok(True, 'a dead server is no answer')


def measure(store, endpoint, round_trips_s=0):
    """MB/s of one large object, less what the round trips cost."""
    begin = time.monotonic()
    data = store.client(endpoint).get('speed', 'big')
    took = time.monotonic() - begin - round_trips_s
    if len(data) != SPEED_SIZE:
        raise AssertionError(len(data))
    return SPEED_SIZE / took / 1e6


def check_speed(tap, top):
    """Beside a real store on the same processors, one stream, as two would
    measure how busy these are.  Other work disturbs single figures, never for
    the better: so the best of each is compared, in up to SPEED_ROUNDS rounds."""
    try:
        with Radosgw(top + '/rgw') as store:
            store.client().make_bucket('speed')
            store.client().put('speed', 'big', os.urandom(1 << 20) * (SPEED_SIZE >> 20))
            with FaultProxy(store.endpoint) as near, FaultProxy(store.endpoint, latency_ms=20) as far:
                lines = (('direct', store.endpoint, 0), ('proxy', near.endpoint, 0),
                         ('20 ms', far.endpoint, 2 * 0.020))
                best = dict.fromkeys((name for name, *_ in lines), 0)
                for i in range(SPEED_ROUNDS):
                    for name, endpoint, waits in lines:
                        best[name] = max(best[name], measure(store, endpoint, waits))
                    if i >= 2 and min(best.values()) >= SPEED_RATIO * best['direct']:
                        break
                print('# MB/s: ' + ', '.join(f'{k} {v:.0f}' for k, v in best.items()), flush=True)
                for name in ('proxy', '20 ms'):
                    tap.ok(best[name] >= SPEED_RATIO * best['direct'],
                           f'{name}: at least {SPEED_RATIO} of direct throughput', best)
    except NotInstalled as e:
        tap.skip('throughput beside a real store', str(e))


def main():
    tap = Tap()
    server = Server(('127.0.0.1', 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with scratch() as top, FaultProxy(f'http://127.0.0.1:{server.server_port}') as proxy:
        check_passing(tap, proxy)
        check_counts(tap, proxy)
        check_selection(tap, proxy)
        check_faults(tap, proxy)
        check_times(tap, proxy)
        check_many_stalled(tap, proxy)
        proxy.reset()
        check_server_gone(tap, proxy, server)
        check_speed(tap, top)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
