#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# OpenStack Swift for tests: one node, one device, one replica, with its S3
# API, as any user, without systemd, on loopback.
#
#	swift.sh start STATE    prints STATE/env: S3_ENDPOINT, keys, region,
#				and ST_AUTH, ST_USER, ST_KEY of its own API
#	swift.sh stop STATE     ends what start began, removes STATE
#
# The account of swift://HOST/AUTH_team/CONTAINER: the name of its key ends in
# the namespace, as OSMO wants it.  STATE must be on a file system with user
# xattrs, where Swift keeps what it knows of an object (ext4; not every tmpfs).
# Exit status 77 where Swift is not installed or there are no xattrs.
#
# Debian: swift-proxy swift-account swift-container swift-object memcached.
set -u
. "$(dirname "$0")/common.sh"

usage() {
	complain "usage: start|stop STATE"
	exit 2
}

[ $# -eq 2 ] || usage
verb=$1
state=$(realpath -m "$2")
host=127.0.0.1
account=team
user=$account:AUTH_$account
secret=test-secret-key
services="proxy object container account memcached"

give_up() {
	complain "$1; its logs are in $state"
	# shellcheck disable=SC2086
	finish $services
	exit 1
}

# The user's name holds an underscore, so the configuration has it in base64.
base64_of() {
	printf %s "$1" | base64 | tr -d =
}

# One process for the three: swift-ring-builder would be nine.
make_rings() {
	/usr/bin/python3 - "$state" "$host" "$@" >"$state/rings.log" 2>&1 <<-'P'
	import sys
	from swift.common.ring import RingBuilder
	state, host, *rings = sys.argv[1:]
	for ring in rings:
	    name, port = ring.split(':')
	    builder = RingBuilder(4, 1, 0)
	    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'ip': host, 'port': int(port), 'weight': 1.0,
	                     'replication_ip': host, 'replication_port': int(port), 'device': 'd1', 'meta': ''})
	    builder.rebalance(seed=1)
	    builder.get_ring().save(f'{state}/{name}.ring.gz')
	P
}

common_conf() {
	cat <<-C
	[DEFAULT]
	bind_ip = $host
	bind_port = $1
	user = $(id -un)
	swift_dir = $state
	workers = 0
	log_level = WARNING
	C
}

write_storage_conf() {
	local name=$1
	common_conf "$2"
	cat <<-C
	devices = $state/node
	mount_check = false
	recon_cache_path = $state/run
	disable_fallocate = true
	[pipeline:main]
	pipeline = $name-server
	[app:$name-server]
	use = egg:swift#$name
	C
}

# The S3 API must be in front of tempauth, which it asks.
write_proxy_conf() {
	local filter
	common_conf "$1"
	cat <<-C
	[pipeline:main]
	pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
	[app:proxy-server]
	use = egg:swift#proxy
	allow_account_management = true
	account_autocreate = true
	[filter:cache]
	use = egg:swift#memcache
	memcache_servers = $host:$2
	[filter:s3api]
	use = egg:swift#s3api
	s3_acl = false
	location = us-east-1
	dns_compliant_bucket_names = false
	storage_domain = s3.localhost
	[filter:tempauth]
	use = egg:swift#tempauth
	user64_$(base64_of "$account")_$(base64_of "AUTH_$account") = $secret .admin
	token_life = 3600
	[filter:versioned_writes]
	use = egg:swift#versioned_writes
	allow_versioned_writes = true
	allow_object_versioning = true
	C
	for filter in catch_errors gatekeeper healthcheck listing_formats \
		      bulk copy slo dlo symlink; do
		printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
	done
}

# The storage servers come up beside the proxy: ready is who keeps an object.
keeps_objects() {
	local token
	token=$(curl --silent --max-time 5 --noproxy '*' --dump-header - \
		--output /dev/null --header "X-Auth-User: $user" \
		--header "X-Auth-Key: $secret" "http://$host:$1/auth/v1.0" |
		sed -n 's/^X-Auth-Token: *//Ip' | tr -d '\r')
	[ -n "$token" ] || return 1
	put "$1" "$token" ready && put "$1" "$token" ready/object
}

put() {
	curl --silent --fail --max-time 10 --noproxy '*' --output /dev/null \
		--request PUT --header "X-Auth-Token: $2" --data-binary '' \
		"http://$host:$1/v1/AUTH_$account/$3"
}

start_storage() {
	local service name
	for service; do
		name=${service%%:*}
		write_storage_conf "$name" "${service#*:}" >"$state/$name.conf"
		launch "$name" "swift-$name-server" "$state/$name.conf"
	done
}

start() {
	local proxy account_port container object memcached tries=0
	require swift-proxy-server swift-account-server swift-container-server \
		swift-object-server memcached curl python3
	if is_running proxy; then
		cat "$state/env"
		return
	fi
	make_state || exit 1
	mkdir -p "$state/node/d1" "$state/run"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.x", b"1")' \
		"$state/run" 2>/dev/null || {
		complain "$state is on a file system without user xattrs"
		remove_state
		exit 77
	}
	read -r proxy account_port container object memcached <<<"$(unused_ports 5)"
	make_rings "account:$account_port" "container:$container" \
		"object:$object" || give_up "no rings"
	launch memcached memcached -l "$host" -p "$memcached" -U 0 -m 32 \
		-u "$(id -un)"
	start_storage "account:$account_port" "container:$container" "object:$object"
	write_proxy_conf "$proxy" "$memcached" >"$state/proxy.conf"
	launch proxy swift-proxy-server "$state/proxy.conf"
	await_http proxy "http://$host:$proxy/healthcheck" 60 ||
		give_up "the proxy does not answer"
	until keeps_objects "$proxy"; do
		[ $((tries += 1)) -le 100 ] || give_up "no object is kept"
		sleep 0.2
	done

	cat >"$state/env.new" <<-C
	S3_ENDPOINT=http://$host:$proxy
	S3_VHOST_SUFFIX=s3.localhost:$proxy
	S3_REGION=us-east-1
	AWS_ACCESS_KEY_ID=$user
	AWS_SECRET_ACCESS_KEY=$secret
	ST_AUTH=http://$host:$proxy/auth/v1.0
	ST_USER=$user
	ST_KEY=$secret
	C
	mv "$state/env.new" "$state/env"
	cat "$state/env"
}

case $verb in
start)
	start
	;;
stop)
	# shellcheck disable=SC2086
	finish $services
	remove_state
	;;
*)
	usage
	;;
esac
