# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as it is on the wire: a request is what was sent, byte for byte
(http.server folds paths), and an answer may break off, fall silent or end in a
reset.  One thread a connection.
"""
import email.utils
import http
import socket
import struct
import threading
import time
import traceback
import urllib.parse
from dataclasses import dataclass, field

HEAD_MAX = 128 * 1024
BODY_MAX = 64 << 20
SILENCE_MAX_SECONDS = 120


@dataclass
class Request:
    role: str
    method: str
    target: str
    headers: list           # (name in lower case, value), in their order
    body: bytes

    @property
    def path(self):
        """As sent, encoded."""
        return self.target.partition('?')[0]

    @property
    def query(self):
        """As sent, encoded."""
        return self.target.partition('?')[2]

    @property
    def args(self):
        return dict(urllib.parse.parse_qsl(self.query, keep_blank_values=True))

    def get(self, name, default=None):
        return next((v for n, v in self.headers if n == name), default)

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode('utf-8', 'replace'), keep_blank_values=True))


@dataclass
class Answer:
    """date_skew_s: how wrong the server's clock is.  The rest is what goes
    wrong with the answer: nothing of it before so long; closed, reset or
    silent behind so many bytes of the body."""

    status: int = 200
    headers: list = field(default_factory=list)
    body: bytes = b''
    date_skew_s: float = 0
    hold_s: float = 0
    cut_at: int = None
    reset_at: int = None
    stall_at: int = None
    stall_s: float = SILENCE_MAX_SECONDS
    is_dropped: bool = False
    is_head: bool = False
    is_chunked: bool = False    # no length is told

    def ends_connection(self):
        return self.is_dropped or self.cut_at is not None or self.reset_at is not None


def read_request(stream, role):
    line = stream.readline(HEAD_MAX).decode('latin-1').rstrip('\r\n')
    if not line:
        return None
    method, target, _ = line.split(' ', 2)
    headers = []
    while (line := stream.readline(HEAD_MAX).decode('latin-1').rstrip('\r\n')):
        name, _, value = line.partition(':')
        headers.append((name.lower(), value.strip()))
    return Request(role, method, target, headers, b'')


def read_body(stream, request):
    if request.get('transfer-encoding', '').lower() == 'chunked':
        parts = []
        while size := int(stream.readline(HEAD_MAX).split(b';')[0], 16):
            parts.append(stream.read(min(size, BODY_MAX)))
            stream.readline(HEAD_MAX)
        stream.readline(HEAD_MAX)
        return b''.join(parts)
    return stream.read(min(int(request.get('content-length', '0')), BODY_MAX))


def head_of(answer):
    try:
        reason = http.HTTPStatus(answer.status).phrase
    except ValueError:
        reason = 'Status'
    lines = [f'HTTP/1.1 {answer.status} {reason}']
    headers = list(answer.headers)
    names = {n.lower() for n, _ in headers}
    if 'date' not in names:
        headers.append(('Date', email.utils.formatdate(time.time() + answer.date_skew_s, usegmt=True)))
    if answer.is_chunked:
        headers.append(('Transfer-Encoding', 'chunked'))
    elif 'content-length' not in names and answer.status != 204:
        headers.append(('Content-Length', str(len(answer.body))))
    if answer.ends_connection():
        headers.append(('Connection', 'close'))
    lines += [f'{n}: {v}' for n, v in headers]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1', 'replace')


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def send(conn, answer):
    time.sleep(min(answer.hold_s, SILENCE_MAX_SECONDS))
    if answer.is_dropped:
        return
    body = b'' if answer.is_head else answer.body
    if answer.is_chunked and not answer.is_head:
        body = b'%x\r\n%s\r\n' % (len(body), body) + b'0\r\n\r\n' if body else b'0\r\n\r\n'
    ends = [at for at in (answer.cut_at, answer.reset_at, answer.stall_at) if at is not None]
    first = body[:min(ends)] if ends else body
    conn.sendall(head_of(answer) + first)
    if answer.stall_at is not None:
        time.sleep(min(answer.stall_s, SILENCE_MAX_SECONDS))
    if answer.reset_at is not None:
        reset(conn)
    elif answer.cut_at is None:
        conn.sendall(body[len(first):])


def converse(conn, role, state, control):
    stream = conn.makefile('rb')
    n_before = 0
    while request := read_request(stream, role):
        if request.get('expect', '').lower() == '100-continue':
            conn.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        request.body = read_body(stream, request)
        if request.path.startswith('/__'):
            answer = control(state, request)
        else:
            with state.lock:
                answer = state.scripted_answer(request, n_before) or state.roles[role](state, request)
                answer.date_skew_s = answer.date_skew_s or state.settings['skew_s']
                state.note(request, answer)
        answer.is_head = request.method == 'HEAD'
        send(conn, answer)
        n_before += 1
        if answer.ends_connection():
            return


def talk(conn, role, state, control):
    try:
        with conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            converse(conn, role, state, control)
    except OSError:
        pass                # the client hung up, or spoke no TLS
    except Exception:       # noqa: BLE001 -- a broken request must not end the server
        state.note_trouble(traceback.format_exc())


def serve(listener, role, state, control):
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            continue
        threading.Thread(target=talk, args=(conn, role, state, control), daemon=True).start()
