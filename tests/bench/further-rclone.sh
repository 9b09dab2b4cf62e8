#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A further mount for tests/bench: make bench BENCH_FLAGS="--add NAME=SCRIPT".
# Called as "mount DIR" (stays in the foreground, so that its CPU and memory are
# seen) and "unmount DIR"; the environment is told in bench_systems.py.  This
# one: rclone without a cache.
case $1 in
mount)
	export RCLONE_CONFIG_X_TYPE=s3 RCLONE_CONFIG_X_PROVIDER=Ceph
	export RCLONE_CONFIG_X_ENDPOINT="$S3_ENDPOINT"
	export RCLONE_CONFIG_X_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID"
	export RCLONE_CONFIG_X_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"
	exec rclone mount "X:$S3_BUCKET" "$2" --read-only --vfs-cache-mode off
	;;
unmount)
	exec umount "$2"
	;;
esac
