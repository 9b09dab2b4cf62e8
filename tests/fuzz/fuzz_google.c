/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google's credential files, and what its token endpoints answer.
 * fuzz-covers: backends/auth/google/google_config.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include <errno.h>
#include "backends/auth/google/google_token.h"

static void check_line(const char *s, bool may_be_null)
{
	FUZZ_CHECK(s || may_be_null);
	if (s)
		FUZZ_CHECK(*s && !strpbrk(s, " \r\n\t"));
}

/* "name: value\n" lines, and nothing that could begin another one. */
static void check_headers(const char *s)
{
	while (s && *s) {
		const char *colon = strstr(s, ": "), *end = strchr(s, '\n');

		FUZZ_CHECK(end && colon && colon > s && colon < end);
		FUZZ_CHECK(!memchr(s, '\r', (size_t)(end - s)));
		s = end + 1;
	}
}

static void check_config(const uint8_t *data, size_t size)
{
	cleanup_google_config struct google_config c = { .token_url = NULL };
	struct err err = ERR_INIT;
	int r = google_config_parse(&c, "f", (const char *)data, size, &err);

	if (r < 0) {
		FUZZ_CHECK(r == -EACCES && err.class == ERR_AUTH);
		FUZZ_CHECK(!strncmp(err.text, "f: ", 3));
		FUZZ_CHECK(!c.client_email && !c.token_url && !c.subject_url);
		return;
	}
	check_line(c.token_url, c.kind == GOOGLE_SERVICE_ACCOUNT);
	check_line(c.client_email, c.kind != GOOGLE_SERVICE_ACCOUNT);
	check_line(c.client_secret, c.kind != GOOGLE_AUTHORIZED_USER);
	check_line(c.refresh_token, c.kind != GOOGLE_AUTHORIZED_USER);
	check_line(c.audience, c.kind != GOOGLE_EXTERNAL_ACCOUNT);
	check_line(c.subject_url, true);
	check_line(c.subject_field, true);
	check_headers(c.subject_headers);
	FUZZ_CHECK(!c.token_url || google_url_is_allowed(c.token_url));
	FUZZ_CHECK(!c.impersonation_url ||
		   google_url_is_allowed(c.impersonation_url));
	if (c.kind == GOOGLE_EXTERNAL_ACCOUNT)
		FUZZ_CHECK(!c.subject_file != !c.subject_url);
}

static void check_token(int (*parse)(struct cred *out, const char *who,
				     const char *text, size_t len,
				     int64_t now_s, struct err *err),
			const uint8_t *data, size_t size)
{
	cleanup_cred struct cred cred = { .kind = CRED_ANONYMOUS };
	struct err err = ERR_INIT;

	if (parse(&cred, "f", (const char *)data, size, 1000, &err) < 0) {
		FUZZ_CHECK(!cred.token);
		return;
	}
	FUZZ_CHECK(cred.kind == CRED_BEARER && cred.expires_s > 1000 &&
		   cred.expires_s <= 1000 + GOOGLE_TOKEN_LIFE_MAX_S);
	check_line(cred.token, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_config(data, size);
	check_token(google_token_parse, data, size);
	check_token(google_token_parse_impersonated, data, size);
	return 0;
}
