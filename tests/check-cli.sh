#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The table of commands, --help and the manual say the same: every command of
# the overview answers --help, and the manual names it and each of its options.
set -u

manual=$top_srcdir/man/datasetfs.1
n=0
failed=0

# ok CONDITION-STATUS NAME
ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

# The manual as plain words, "-" without mdoc's and roff's escapes.
words=$(mandoc -T utf8 "$manual" | col -b | tr -s ' \n\t' ' ' | sed 's/‐/-/g')

# manual_has TEXT
manual_has() {
	case " $words " in
	*"$1"*) return 0 ;;
	*) return 1 ;;
	esac
}

overview=$("$DATASETFS" --help)
ok $? "--help exits 0"
mapfile -t commands < <(printf '%s\n' "$overview" |
	sed -n '/^commands:/,/^$/s/^  \([a-z ]*[a-z]\)  .*/\1/p')
[ "${#commands[@]}" -ge 10 ]
ok $? "the overview lists the commands (${#commands[@]})"

for command in "${commands[@]}"; do
	# shellcheck disable=SC2086  # a command may be several words
	help=$("$DATASETFS" $command --help 2>/dev/null)
	ok $? "$command --help exits 0"
	manual_has "datasetfs $command"
	ok $? "the manual names $command"
	for option in $(printf '%s\n' "$help" | grep -o -- '--[a-z][a-z-]*' |
			sort -u); do
		manual_has "$option"
		ok $? "the manual has $option of $command"
	done
done

# The check itself can fail.
manual_has "datasetfs no-such-command"
[ $? -eq 1 ]
ok $? "a command that the manual lacks would be found"

echo "1..$n"
exit $failed
