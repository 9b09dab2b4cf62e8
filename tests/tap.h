/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest producer of TAP, for test programs that cannot use Criterion
 * (it aborts at start under ThreadSanitizer): tests/race/ and the fuzz replay.
 *
 *	int main(void)
 *	{
 *		tap_ok(sum == 3, "the sum is %d", sum);
 *		return tap_done();
 *	}
 *
 * One thread reports; the threads under test only compute.
 */
#ifndef DATASETFS_TESTS_TAP_H
#define DATASETFS_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_cases_;
static int tap_failed_;

__attribute__((format(printf, 2, 3), unused)) static bool
tap_ok(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++tap_cases_);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failed_ += !ok;
	return ok;
}

__attribute__((unused)) static void tap_skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_cases_, name, why);
	fflush(stdout);
}

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_cases_);
	return tap_failed_ ? 1 : 0;
}

#endif
