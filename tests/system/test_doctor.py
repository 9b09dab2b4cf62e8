#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""datasetfs doctor: on a machine where all is well, and with each fault that
it looks for put there in turn."""
import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import wsgiref.handlers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from mount_world import main, named, run_lives                # noqa: E402

NO_ENTRY = ('<?xml version="1.0"?><ListBucketResult><Name>store</Name><KeyCount>0</KeyCount>'
            '<IsTruncated>false</IsTruncated></ListBucketResult>')


def config(w, registered=None, cache=None, **own):
    return harness.write_config(
        w.top + '/doctor.yaml', registered or {'production': {'dataset_path': w.bucket.uri}},
        cache_dir=cache or w.cache, extra=own)


def doctor(w, path=None, prefix=(), **kw):
    """Exit code and findings; both forms of the output agree."""
    words = [*prefix, harness.PROGRAM, '-c', path or config(w), 'doctor']
    prepare = harness.demote(w.uid) if w.uid else None
    p = subprocess.run([*words, '--json'], capture_output=True, text=True, timeout=120,
                       preexec_fn=prepare, **kw)
    doc = json.loads(p.stdout)
    assert doc['schema'] == 'datasetfs.doctor/1', doc
    found = doc['findings']
    assert doc['failed'] == sum(f['result'] == 'failed' for f in found), doc
    assert doc['warnings'] == sum(f['result'] == 'warning' for f in found), doc
    assert p.returncode == (8 if doc['failed'] else 0), (p.returncode, doc)
    for f in found:
        assert (f['fix'] is None) == (f['result'] == 'ok'), f
    return p.returncode, {f['check']: f for f in found}


def expect(finding, result, text='', fix=''):
    assert finding['result'] == result, finding
    assert text in finding['text'], finding
    assert fix in (finding['fix'] or ''), finding


@contextlib.contextmanager
def files_of_etc(w, **files):
    """/etc with other files, for this test only; None: without that one."""
    copy = w.top + '/etc'
    shutil.rmtree(copy, ignore_errors=True)
    os.mkdir(copy)
    for name in os.listdir('/etc'):
        source = '/etc/' + name
        if os.path.isfile(source) and not os.path.islink(source):
            shutil.copy(source, copy)
    for name, text in files.items():
        path = f'{copy}/{name.replace("_conf", ".conf")}'
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if text is not None:
            with open(path, 'w') as f:
                f.write(text)
    with harness.bound(copy, '/etc'):
        yield


def sick_a_machine_where_all_is_well(w):
    with files_of_etc(w, fuse_conf='user_allow_other # all\n', updatedb_conf=None):
        code, found = doctor(w)
        assert code == 0, found
        assert not [f for f in found.values() if f['result'] == 'failed'], found
        expect(found['bucket production'], 'ok', 'datasets')
        expect(found['FUSE device'], 'ok')
        expect(found['cache directory'], 'ok', w.cache)
        expect(found['cache room'], 'ok')
        expect(found['configuration'], 'ok', '1 buckets')
        expect(found['updatedb'], 'ok')
        for check in ['fusermount3', 'user_allow_other'] if w.uid else ['privilege']:
            expect(found[check], 'ok')
        p = harness.run('-c', config(w), 'doctor', uid=w.uid)
        assert p.returncode == 0 and p.stdout.splitlines()[-1].startswith('0 failed, '), p
        assert 'ok       bucket production: ' in p.stdout, p
    p = harness.run('doctor', 'more')
    assert p.returncode == 2 and 'more' in p.stderr, p


def sick_buckets_and_configuration(w):
    code, found = doctor(w, w.config)
    assert code == 8
    expect(found['bucket archive'], 'failed', 'azure', 'config.yaml:')
    expect(found['bucket production'], 'ok')
    p = harness.run('-c', w.config, 'doctor', uid=w.uid)
    assert p.returncode == 8 and '\nfailed   bucket archive: ' in p.stdout, p
    assert '\n         fix: correct it at ' in p.stdout, p

    empty = w.top + '/empty'
    os.makedirs(empty, exist_ok=True)
    code, found = doctor(w, config(w, {'e': {'dataset_path': 'file://' + empty}}))
    assert code == 0
    expect(found['bucket e'], 'warning', 'no catalog', 'import osmo e')

    code, found = doctor(w, config(w, {'gone': {'dataset_path': f'file://{w.top}/gone'}}))
    assert code == 8
    expect(found['bucket gone'], 'failed', w.top + '/gone')

    code, found = doctor(w, w.top + '/no-such-file')
    assert code == 8 and 'cache directory' not in found
    expect(found['configuration'], 'failed', 'no-such-file', '--config')
    with open(w.top + '/bad.yaml', 'w') as f:
        f.write('buckets: [\n')
    code, found = doctor(w, w.top + '/bad.yaml')
    assert code == 8
    expect(found['configuration'], 'failed', 'bad.yaml:', 'datasetfs.conf(5)')


def sick_the_cache(w):
    cache = w.top + '/bad-cache'
    os.mkdir(cache)
    os.chmod(cache, 0o777)
    if w.uid:
        os.chown(cache, w.uid, w.uid)
    code, found = doctor(w, config(w, cache=cache))
    assert code == 8
    expect(found['cache directory'], 'failed', cache, 'datasetfs.cache.dir')
    code, found = doctor(w, config(w, cache=w.config))
    assert code == 8
    expect(found['cache directory'], 'failed', w.config)

    os.chmod(cache, 0o700)
    # 90% of the third are no room for a cache, if 95% were.
    for size, code, room in (('64m', 0, 'ok'), ('4m', 8, 'failed'), ('17920k', 8, 'failed')):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=700,uid={w.uid or 0}',
                        'cache', cache], check=True)
        try:
            result, found = doctor(w, config(w, cache=cache))
        finally:
            subprocess.run(['umount', cache], check=True)
        assert result == code, found
        expect(found['cache file system'], 'warning', 'tmpfs', 'local disk')
        expect(found['cache room'], room)


def sick_memory(w):
    def limit(n):
        top = w.top + '/cgroup'
        os.makedirs(top + '/memory', exist_ok=True)
        for name in ('memory.max', 'memory/memory.limit_in_bytes'):
            with open(f'{top}/{name}', 'w') as f:
                f.write(f'{n}\n')
        return harness.bound(top, '/sys/fs/cgroup')

    with limit(100 << 20):
        code, found = doctor(w)
        assert code == 8
        expect(found['memory'], 'failed', '100.0 MiB', 'raise the limit')
    with limit(1 << 30):
        code, found = doctor(w)
        expect(found['memory'], 'ok', '1.0 GiB')
        code, found = doctor(w, config(w, memory='900MiB'))
        assert code == 8
        expect(found['memory'], 'failed', '900.0 MiB', 'datasetfs.memory')


def sick_updatedb(w):
    for text, result in (('PRUNEFS = "nfs fuse.sshfs"\n', 'warning'),
                         ('# PRUNEFS="fuse.datasetfs"\n', 'warning'),
                         ('PRUNEPATHS="/tmp"\nPRUNEFS="nfs FUSE.datasetfs"\n', 'ok')):
        with files_of_etc(w, updatedb_conf=text):
            code, found = doctor(w)
            assert code == 0, found
            expect(found['updatedb'], result, fix='PRUNEFS' if result == 'warning' else '')


def sick_apparmor(w):
    if not w.uid:
        code, found = doctor(w)
        assert 'AppArmor' not in found, 'root mounts without fusermount3'
        return
    modules, enabled = w.top + '/modules', w.top + '/modules/apparmor/parameters/enabled'
    os.makedirs(os.path.dirname(enabled))
    rule = 'mount fstype=@{fuse_types} -> /datasets/,\n'
    with harness.bound(modules, '/sys/module'):
        for on, profile, local, result, text in (
                ('N', '', None, 'ok', 'not in use'), ('Y', None, None, 'ok', 'no profile'),
                ('Y', 'mount -> /mnt/**,\n', None, 'warning', 'not at /datasets'),
                ('Y', '', '# ' + rule, 'warning', 'not at /datasets'),
                ('Y', '', rule, 'ok', 'names /datasets'), ('Y', rule, None, 'ok', 'names /datasets')):
            with open(enabled, 'w') as f:
                f.write(on + '\n')
            with files_of_etc(w):
                os.makedirs('/etc/apparmor.d/local')
                for name, content in (('fusermount3', profile), ('local/fusermount3', local)):
                    if content is not None:
                        with open('/etc/apparmor.d/' + name, 'w') as f:
                            f.write(content)
                code, found = doctor(w)
                assert code == 0, found
                expect(found['AppArmor'], result, text, 'apparmor_parser -r' if result == 'warning' else '')


def sick_the_device_and_the_privilege(w):
    plain = w.top + '/no-device'
    with open(plain, 'w'):
        os.chmod(plain, 0o600)
    if not w.uid:
        code, found = doctor(w, prefix=['setpriv', '--bounding-set', '-sys_admin'])
        assert code == 8
        expect(found['privilege'], 'failed', 'CAP_SYS_ADMIN', '--cap-add')
        return
    with harness.bound(plain, '/dev/fuse'):
        code, found = doctor(w)
        assert code == 8
        expect(found['FUSE device'], 'failed', '/dev/fuse', 'chmod 666')
    with files_of_etc(w, fuse_conf='#user_allow_other\n'):
        code, found = doctor(w)
        assert code == 0, found
        expect(found['user_allow_other'], 'warning', '/etc/fuse.conf', 'echo user_allow_other')
    code, found = doctor(w, env=dict(os.environ, PATH='/nowhere'))
    assert code == 8
    expect(found['fusermount3'], 'failed', 'not found', 'apt-get install fuse3')
    other = w.top + '/path'
    os.mkdir(other)
    shutil.copy('/bin/true', other + '/fusermount3')
    code, found = doctor(w, env=dict(os.environ, PATH=other + ':' + os.environ['PATH']))
    assert code == 8
    expect(found['fusermount3'], 'failed', 'not set-user-id', 'chmod u+s ' + other)
    code, found = doctor(w, prefix=['setpriv', '--no-new-privs'])
    assert code == 8
    expect(found['fusermount3'], 'failed', 'no_new_privs')


class Store(http.server.BaseHTTPRequestHandler):
    """An S3 store without objects, or one that refuses; its clock is off."""

    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return wsgiref.handlers.format_date_time(time.time() + self.server.off_s)

    def do_GET(self):
        code = self.server.refusal
        body = (f'<Error><Code>{code}</Code></Error>' if code else NO_ENTRY).encode()
        self.send_response(403 if code else 200)
        self.send_header('Content-Type', 'application/xml')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_response(403 if self.server.refusal else 200)
        self.send_header('Content-Length', '0')
        self.end_headers()


@contextlib.contextmanager
def store(off_s=0, refusal=None):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Store)
    server.off_s, server.refusal = off_s, refusal
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def s3_config(w, port, **own):
    return config(w, {'far': {'dataset_path': 's3://store/p', 'default_credential': {
        'access_key_id': 'id', 'access_key': 'a-secret', 'region': 'us-east-1',
        'override_url': f'http://127.0.0.1:{port}', 'addressing_style': 'path'}}}, **own)


def sick_stores(w):
    for off_s, result, code in ((0, 'ok', 0), (100, 'warning', 0), (-7200, 'failed', 8)):
        with store(off_s) as port:
            got, found = doctor(w, s3_config(w, port))
            assert got == code, found
            expect(found['bucket far'], 'warning', 'no catalog')
            expect(found['clock of far'], result, 'ahead of' if off_s < 0 else '',
                   'set-ntp' if off_s else '')
    for refusal in ('InvalidAccessKeyId', 'AccessDenied'):
        with store(refusal=refusal) as port:
            path = s3_config(w, port)
            got, found = doctor(w, path)
            assert got == 8, found
            expect(found['bucket far'], 'failed', refusal, 'read and list s3://store/p')
            p = harness.run('-c', path, 'doctor', uid=w.uid)
            assert 'a-secret' not in p.stdout + p.stderr, p
    got, found = doctor(w, s3_config(w, port))      # nobody listens there now
    assert got == 8, found
    expect(found['bucket far'], 'failed', '', 'reach the store')
    assert 'clock of far' not in found


def sick_content_away_from_its_catalog(w):
    catalog = {'far': {'catalog': w.bucket.uri}}
    with store() as port:
        code, found = doctor(w, s3_config(w, port, buckets=catalog))
        assert code == 0, found
        expect(found['bucket far'], 'ok', 'datasets')
        expect(found['clock of far'], 'ok')
    with store(refusal='AccessDenied') as port:
        code, found = doctor(w, s3_config(w, port, buckets=catalog))
        assert code == 8, found
        expect(found['bucket far'], 'failed', 'content: ', 'read and list s3://store/p')


def test(t, w, only):
    run_lives(t, w, only(named('sick_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
