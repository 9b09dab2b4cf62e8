#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Azure's blob service for tests: Azurite, in memory, as any user, on loopback.
#
#	azurite.sh start STATE    prints STATE/env: AZURE_ENDPOINT, account, key
#	azurite.sh stop STATE     ends what start began, removes STATE
#
# Environment: AZURITE_TLS (a folder with cert.pem and key.pem: https, and
# tokens of OAuth beside keys, of which only the claims are checked),
# AZURITE_LOOSE (not empty: unknown headers are no error).
# Exit status 77 where Azurite is not installed.
#
# From npm: azurite, in the version that build-aux/install-deps names.
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
account=testaccount
# 32 bytes: "testkey" over and over.
key=dGVzdGtleXRlc3RrZXl0ZXN0a2V5dGVzdGtleXRlc3Q=

start() {
	local port scheme=http words
	require azurite-blob node curl python3
	if is_running azurite; then
		cat "$state/env"
		return
	fi
	make_state || exit 1
	port=$(unused_ports 1)
	# Without --skipApiVersionCheck a client newer than it gets 400.
	words=(--blobHost "$host" --blobPort "$port" --disableTelemetry
	       --inMemoryPersistence --skipApiVersionCheck)
	[ -z "${AZURITE_LOOSE:-}" ] || words+=(--loose)
	if [ -n "${AZURITE_TLS:-}" ]; then
		scheme=https
		words+=(--cert "$AZURITE_TLS/cert.pem"
			--key "$AZURITE_TLS/key.pem" --oauth basic)
	fi
	AZURITE_ACCOUNTS=$account:$key launch azurite azurite-blob "${words[@]}"
	await_http azurite "$scheme://$host:$port/" 60 --insecure || {
		complain "it does not answer; its log is in $state"
		finish azurite
		exit 1
	}
	cat >"$state/env.new" <<-C
	AZURE_ENDPOINT=$scheme://$host:$port/$account
	AZURE_STORAGE_ACCOUNT=$account
	AZURE_STORAGE_KEY=$key
	C
	mv "$state/env.new" "$state/env"
	cat "$state/env"
}

case $verb in
start)
	start
	;;
stop)
	finish azurite
	remove_state
	;;
*)
	usage
	;;
esac
