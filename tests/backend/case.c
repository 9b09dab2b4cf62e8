/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/case.h"

#include "tests/tap.h"

static char label[32];

void in_case(unsigned number)
{
	label[0] = '\0';
	if (number)
		(void)snprintf(label, sizeof(label), "case %u: ", number);
}

bool check(bool ok, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return tap_ok(ok, "%s%s", label, text);
}

bool check_r(int r, int want, const struct err *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!tap_ok(r == want, "%s%s", label, text))
		printf("#   got %d, want %d: %s\n", r, want, err->text);
	return r == want;
}

void skip(const char *name, const char *why)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s%s", label, name);
	tap_skip(text, why);
}

int cases_done(void)
{
	return tap_done();
}
