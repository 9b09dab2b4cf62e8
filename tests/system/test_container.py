#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A container started before the daemon, holding only a read-only rslave bind
of the datasets: it lists, reads, maps, and resolves without configuration."""
import json
import os
import shutil
import subprocess
import sys
import time

import harness
from harness import Tap, scratch

CONTAINER_SCRIPT = r'''
i=0
until [ -e /datasets/production ]; do
    i=$((i+1)); [ $i -gt 200 ] && { echo "never mounted"; exit 9; }; sleep 0.1
done
echo "uid $(id -u)"
echo "list $(ls /datasets/production | tr '\n' ' ')"
echo "sum $(sha256sum /datasets/imagenet/data.bin | cut -d' ' -f1)"
echo "resolve $(datasetfs resolve imagenet)"
echo "pinned $(datasetfs resolve production/imagenet:1)"
echo "mmap $(mapsum /datasets/imagenet/data.bin)"
touch /datasets/production/x 2>/dev/null && echo "write yes" || echo "write refused"
'''

MAPSUM_C = r'''
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
int main(int argc, char **argv)
{
	struct stat st;
	unsigned long sum = 0;
	int fd = open(argv[argc - 1], O_RDONLY);
	const unsigned char *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	p = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 2;
	for (long i = 0; i < st.st_size; i++)
		sum = sum * 31 + p[i];
	printf("%lu\n", sum);
	return 0;
}
'''


def map_sum(data):
    total = 0
    for byte in data:
        total = (total * 31 + byte) & (2 ** 64 - 1)
    return total


def make_root(root):
    """busybox, the program with its libraries, a static reader by mmap."""
    for d in ('bin', 'proc', 'dev', 'sys', 'tmp', 'etc', 'datasets'):
        os.makedirs(os.path.join(root, d))
    busybox = shutil.which('busybox')
    shutil.copy(busybox, root + '/bin/busybox')
    for applet in ('sh', 'ls', 'tr', 'cut', 'id', 'sleep', 'touch', 'sha256sum', 'cat'):
        os.symlink('busybox', root + '/bin/' + applet)
    shutil.copy(harness.PROGRAM, root + '/bin/datasetfs')
    libs = subprocess.run(['ldd', harness.PROGRAM], capture_output=True, text=True, check=True).stdout
    for word in libs.split():
        if word.startswith('/'):
            dst = root + word
            os.makedirs(os.path.dirname(dst), exist_ok=True)
            if not os.path.exists(dst):
                shutil.copy(word, dst)
    src = root + '/tmp/mapsum.c'
    with open(src, 'w') as f:
        f.write(MAPSUM_C)
    subprocess.run(['cc', '-O1', '-static', '-o', root + '/bin/mapsum', src], check=True)


def make_bundle(top, root, shared):
    bundle = os.path.join(top, 'bundle')
    os.makedirs(bundle)
    subprocess.run(['runc', 'spec'], cwd=bundle, check=True)
    path = bundle + '/config.json'
    with open(path) as f:
        spec = json.load(f)
    spec['root'] = {'path': root, 'readonly': True}
    p = spec['process']
    p.update(terminal=False, args=['sh', '-c', CONTAINER_SCRIPT],
             user={'uid': 1000, 'gid': 1000}, env=['PATH=/bin'])
    p.pop('rlimits', None)
    for kind in p.get('capabilities', {}):
        p['capabilities'][kind] = []
    spec['mounts'].append({'destination': '/datasets', 'type': 'none', 'source': shared,
                           'options': ['rbind', 'ro', 'rslave']})
    spec['linux']['rootfsPropagation'] = 'rslave'
    with open(path, 'w') as f:
        json.dump(spec, f)
    return bundle


def main():
    tap = Tap()
    names = ['container runs as uid 1000', 'container lists the bucket', 'container reads the same bytes',
             'resolve follows the links only', 'resolve of a number is pinned', 'container maps the same bytes',
             'container cannot write']
    if os.geteuid() != 0 or not shutil.which('runc') or not shutil.which('busybox'):
        for n in names:
            tap.skip(n, 'needs root, runc and busybox')
        return tap.done()
    with scratch() as top:
        data = os.urandom(3 << 20)
        for v, content in (('v1', b'old'), ('v2', data)):
            os.makedirs(f'{top}/src/{v}')
            with open(f'{top}/src/{v}/data.bin', 'wb') as f:
                f.write(content)
        os.makedirs(top + '/bucket')
        subprocess.run([sys.executable, harness.MAKER, top + '/made', '--uri', 'file://' + top + '/bucket',
                        '--star', '--dataset', f'imagenet={top}/src/v1,{top}/src/v2'], check=True)
        shutil.copytree(top + '/made/objects', top + '/bucket', dirs_exist_ok=True)
        config = harness.write_config(top + '/config.yaml', {
            'production': {'dataset_path': 'file://' + top + '/bucket'}}, default='production',
            cache_dir=top + '/cache')
        harness.run('-c', config, 'dataset', 'import', 'osmo', 'production', top + '/made', check=True)

        root, shared = top + '/root', top + '/datasets'
        make_root(root)
        os.makedirs(shared)
        subprocess.run(['mount', '--bind', shared, shared], check=True)
        subprocess.run(['mount', '--make-rshared', shared], check=True)
        try:
            bundle = make_bundle(top, root, shared)
            name = f'datasetfs-{os.getpid()}'
            box = subprocess.Popen(['runc', 'run', name], cwd=bundle, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(1.0)          # the container is there before the daemon
            with harness.Mount(config, shared, top + '/log'):
                try:
                    out, _ = box.communicate(timeout=60)
                finally:
                    box.kill()
                got = dict(line.split(' ', 1) for line in out.splitlines() if ' ' in line)
                import hashlib
                tap.equal(got.get('uid'), '1000', names[0])
                tap.ok('imagenet@1' in got.get('list', '') and 'imagenet@2' in got.get('list', ''), names[1], out)
                tap.equal(got.get('sum'), hashlib.sha256(data).hexdigest(), names[2])
                tap.equal(got.get('resolve'), '/datasets/production/imagenet@2', names[3])
                tap.equal(got.get('pinned'), '/datasets/production/imagenet@1', names[4])
                tap.equal(got.get('mmap'), str(map_sum(data)), names[5])
                tap.equal(got.get('write'), 'refused', names[6])
        finally:
            subprocess.run(['umount', '-l', shared], stderr=subprocess.DEVNULL)
            subprocess.run(['umount', '-l', shared], stderr=subprocess.DEVNULL)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
