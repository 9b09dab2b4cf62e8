#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A plain static server for tests and benchmarks: files of a folder over HTTP
# on loopback, as any user.  Below /norange/ are the same files, and a Range is
# ignored.
#
#	nginx.sh start STATE ROOT [tls]
#	                             prints STATE/env: HTTP_ENDPOINT, with tls
#	                             HTTPS_ENDPOINT and HTTPS_CA_FILE, too
#	nginx.sh stop STATE          ends what start began, removes STATE
#
# Exit status 77 where nginx is not installed.  Debian: nginx-light.
set -u
. "$(dirname "$0")/common.sh"
PATH=$PATH:/usr/sbin

usage() {
	complain "usage: start STATE ROOT [tls], or stop STATE"
	exit 2
}

[ $# -ge 2 ] || usage
verb=$1
state=$(realpath -m "$2")
host=127.0.0.1

# No log of requests: it is the client that is measured.  Each file of the cache
# is open; without descriptors left nothing is answered until it lets some go.
write_conf() {
	local port=$1 root=$2 tls_port=$3 user= files tls=
	[ "$(id -u)" != 0 ] || user="user root;"
	files=$(ulimit -n)
	[ "$files" != unlimited ] && [ "$files" -lt 400000 ] || files=400000
	mkdir "$state/tmp"
	[ -z "$tls_port" ] || tls="server {
	    listen $host:$tls_port ssl; root $root;
	    ssl_certificate $state/cert.pem; ssl_certificate_key $state/key.pem;
	  }"
	cat >"$state/nginx.conf" <<-C
	daemon off;
	$user
	worker_processes 1;
	pid $state/nginx.run;
	events { worker_connections 1024; }
	http {
	  access_log off;
	  client_body_temp_path $state/tmp/body;
	  proxy_temp_path $state/tmp/proxy;
	  fastcgi_temp_path $state/tmp/fastcgi;
	  uwsgi_temp_path $state/tmp/uwsgi;
	  scgi_temp_path $state/tmp/scgi;
	  sendfile on;
	  sendfile_max_chunk 2m;
	  tcp_nodelay on;
	  keepalive_timeout 300;
	  keepalive_requests 1000000;
	  open_file_cache max=$((files / 2));
	  default_type application/octet-stream;
	  server {
	    listen $host:$port;
	    root $root;
	    location /norange/ { alias $root/; max_ranges 0; }
	  }
	  $tls
	}
	C
}

make_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$state/key.pem" -out "$state/cert.pem" -days 2 \
		-subj /CN=nginx -addext "subjectAltName=IP:$host" \
		>"$state/openssl.log" 2>&1
}

start() {
	local port tls_port=
	[ -d "$1" ] || usage
	require nginx curl python3
	make_state || exit 1
	if [ "$2" = tls ]; then
		require openssl
		make_certificate || exit 1
		read -r port tls_port <<<"$(unused_ports 2)"
	else
		port=$(unused_ports 1)
	fi
	write_conf "$port" "$(realpath "$1")" "$tls_port"
	launch nginx nginx -c "$state/nginx.conf" -p "$state" -e "$state/error.log"
	await_http nginx "http://$host:$port/" 20 || {
		complain "nginx does not answer; its logs are in $state"
		finish nginx
		exit 1
	}
	{
		echo "HTTP_ENDPOINT=http://$host:$port"
		[ -z "$tls_port" ] || echo "HTTPS_ENDPOINT=https://$host:$tls_port
HTTPS_CA_FILE=$state/cert.pem"
	} | tee "$state/env"
}

case $verb in
start)
	[ $# -eq 3 ] || { [ $# -eq 4 ] && [ "$4" = tls ]; } || usage
	start "$3" "${4-}"
	;;
stop)
	finish nginx
	remove_state
	;;
*)
	usage
	;;
esac
