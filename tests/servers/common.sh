# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts that start real servers for tests.  A server lives below one
# state folder that it made itself: NAME.pid holds the process and its start
# time (a number alone may belong to somebody else tomorrow), NAME.log what it
# said, env what a client needs, as KEY=VALUE.  Everything listens on loopback.

MARK=.datasetfs-test-server

complain() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

require() {
	local missing=
	for word; do
		command -v "$word" >/dev/null 2>&1 || missing="$missing $word"
	done
	[ -z "$missing" ] || {
		complain "not installed:$missing (see build-aux/install-deps)"
		exit 77
	}
}

# Field 22 of /proc/PID/stat counted behind the name, which may hold spaces;
# nothing for a zombie, which is gone for our purposes.
start_time() {
	awk '{ sub(/.*\) /, ""); if ($1 != "Z") print $20 }' \
		"/proc/$1/stat" 2>/dev/null
}

is_running() {
	local pid since
	read -r pid since 2>/dev/null <"$state/$1.pid" || return 1
	[ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ]
}

# launch NAME COMMAND...: in a session of its own, so that a terminal's ^C for
# the test does not reach it before the test has cleaned up.
launch() {
	local name=$1
	shift
	setsid "$@" >"$state/$name.log" 2>&1 </dev/null &
	echo "$! $(start_time $!)" >"$state/$name.pid"
}

# finish NAME...: asks all of them, then waits for each for 10 s.
finish() {
	local name pid since tries
	for name; do
		is_running "$name" || continue
		read -r pid since <"$state/$name.pid"
		kill -TERM "$pid" 2>/dev/null
	done
	for name; do
		tries=0
		while is_running "$name"; do
			[ $((tries += 1)) -le 100 ] || {
				read -r pid since <"$state/$name.pid"
				kill -KILL "$pid" 2>/dev/null
			}
			sleep 0.1
		done
		rm -f "$state/$name.pid"
	done
}

# await_http NAME URL SECONDS [CURL-WORD...]: until it answers anything at all.
await_http() {
	local name=$1 url=$2 tries=$(($3 * 10))
	shift 3
	while ! curl --silent --output /dev/null --max-time 2 --noproxy '*' \
		"$@" "$url"; do
		[ $((tries -= 1)) -gt 0 ] && is_running "$name" || return 1
		sleep 0.1
	done
}

unused_ports() {
	python3 - "$1" <<-'P'
	import socket, sys
	held = [socket.create_server(('127.0.0.1', 0)) for _ in range(int(sys.argv[1]))]
	print(*(s.getsockname()[1] for s in held))
	P
}

make_state() {
	[ ! -e "$state" ] || remove_state
	mkdir -p "$state" && : >"$state/$MARK"
}

# Never a folder that is not ours, whatever was given as one.
remove_state() {
	[ -e "$state" ] || return 0
	[ -e "$state/$MARK" ] || [ -z "$(ls -A "$state")" ] || {
		complain "$state was not made by these scripts: left alone"
		exit 1
	}
	rm -rf "$state"
}
