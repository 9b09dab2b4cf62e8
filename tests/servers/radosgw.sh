#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A real S3 server for tests: Ceph's RADOS gateway with one monitor and one
# object store daemon, as any user, without systemd, on loopback.
#
#	radosgw.sh start STATE    prints STATE/env: S3_ENDPOINT, keys, region
#	radosgw.sh stop STATE     ends what start began, removes STATE
#	radosgw.sh admin STATE WORD...    radosgw-admin, e.g. "user create"
#
# Environment: RADOSGW_STORE (memstore: in memory, about 450 MiB with a small
# data set; bluestore: a sparse file in STATE, for more than fits),
# RADOSGW_SIZE (bytes of either, 6 GiB), RADOSGW_LOG (log level, 0).
# Exit status 77 where Ceph is not installed.
#
# Debian: radosgw ceph-mon ceph-osd ceph-common.
set -u
. "$(dirname "$0")/common.sh"

usage() {
	complain "usage: start|stop STATE, or admin STATE WORD..."
	exit 2
}

[ $# -ge 2 ] || usage
verb=$1
state=$(realpath -m "$2")
conf=$state/ceph.conf
store=${RADOSGW_STORE:-memstore}
size=${RADOSGW_SIZE:-6442450944}
access_key=test-access-key
secret_key=test-secret-key
host=127.0.0.1

give_up() {
	complain "$1; its logs are in $state"
	finish gateway osd mon
	exit 1
}

# Why some of these: without tcp_nodelay an answer on a kept connection waits
# 40 ms for an acknowledgement; the gateway asks for "secure" messages unless
# told otherwise, which no authentication cannot do; and every pool that it
# makes at first start waits for a proposal of the monitor.
write_conf() {
	local gateway=$1 monitor=$2
	cat >"$conf" <<-C
	[global]
	fsid = $fsid
	mon host = v2:$host:$monitor
	public addr = $host
	cluster addr = $host
	auth cluster required = none
	auth service required = none
	auth client required = none
	auth allow insecure global id reclaim = false
	keyring = $state/keyring
	run dir = $state/run
	crash dir = $state/run
	pid file =
	admin socket = $state/run/\$name.asok
	log file = $state/\$name.ceph.log
	mon cluster log file = $state/cluster.log
	osd pool default size = 1
	osd pool default min size = 1
	osd pool default pg num = 4
	osd pool default pgp num = 4
	osd pool default pg autoscale mode = off
	osd crush chooseleaf type = 0
	mon allow pool size one = true
	mon data avail crit = 1
	mon data avail warn = 1
	mon tick interval = 1
	paxos propose interval = 0.05
	paxos min wait = 0.01
	C
	for peer in "" "cluster " "service " "client " "mon cluster " \
		    "mon service " "mon client "; do
		[ -z "$peer" ] || echo "ms ${peer}mode = crc"
	done >>"$conf"
	cat >>"$conf" <<-C
	[mon]
	mon data = $state/mon
	[osd]
	osd data = $state/osd
	osd objectstore = $store
	osd memory target = 939524096
	memstore device bytes = $size
	bluestore block size = $size
	[client]
	rgw frontends = beast endpoint=$host:$gateway tcp_nodelay=1
	rgw dns name = s3.localhost
	rgw thread pool size = 128
	rgw enable usage log = false
	rgw s3 auth use sts = true
	rgw sts key = abcdefghijklmnop
	debug rgw = ${RADOSGW_LOG:-0}
	C
}

# At once for every command that sets something up: one log, one failure.
step() {
	timeout 60 "$@" >>"$state/setup.log" 2>&1 || give_up "failed: $1 $2 $3"
}

start() {
	local gateway monitor osd_id
	require ceph-mon ceph-osd radosgw radosgw-admin monmaptool \
		ceph-authtool ceph curl python3
	if is_running gateway; then
		cat "$state/env"
		return
	fi
	make_state || exit 1
	mkdir "$state/mon" "$state/osd" "$state/run"
	read -r gateway monitor <<<"$(unused_ports 2)"
	fsid=$(cat /proc/sys/kernel/random/uuid)
	osd_id=$(cat /proc/sys/kernel/random/uuid)
	write_conf "$gateway" "$monitor"

	step ceph-authtool --create-keyring "$state/keyring" \
		--name client.rgw --gen-key
	step monmaptool --create --fsid "$fsid" \
		--addv a "[v2:$host:$monitor]" "$state/monmap"
	step ceph-mon --conf "$conf" --mkfs -i a --monmap "$state/monmap"
	launch mon ceph-mon --conf "$conf" -i a -f
	step ceph --conf "$conf" osd new "$osd_id"
	step ceph-osd --conf "$conf" -i 0 --mkfs --osd-uuid "$osd_id"
	launch osd ceph-osd --conf "$conf" -i 0 -f
	launch gateway radosgw --conf "$conf" -n client.rgw -f
	await_http gateway "http://$host:$gateway/" 120 ||
		give_up "the gateway does not answer"
	step radosgw-admin --conf "$conf" user create --uid=test \
		--display-name=test --caps="roles=*;oidc-provider=*" \
		--access-key="$access_key" --secret-key="$secret_key"

	cat >"$state/env.new" <<-C
	S3_ENDPOINT=http://$host:$gateway
	S3_VHOST_SUFFIX=s3.localhost:$gateway
	S3_REGION=us-east-1
	AWS_ACCESS_KEY_ID=$access_key
	AWS_SECRET_ACCESS_KEY=$secret_key
	C
	mv "$state/env.new" "$state/env"
	cat "$state/env"
}

case $verb in
start)
	start
	;;
stop)
	finish gateway osd mon
	remove_state
	;;
admin)
	shift 2
	exec radosgw-admin --conf "$conf" "$@"
	;;
*)
	usage
	;;
esac
