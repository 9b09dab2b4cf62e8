/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance URI [OVERRIDE_URL [path|virtual]]: the suite against one store,
 * as TAP.  Credentials are the environment's.  The location gets a folder of
 * its own below it, which is empty again at the end.
 */
#include <config.h>
#include "tests/backend/conformance.h"

#include <sys/stat.h>
#include "backends/base/encode.h"
#include "tests/tap.h"

bool check(bool ok, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return tap_ok(ok, "%s", text);
}

bool check_r(int r, int want, const struct err *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!tap_ok(r == want, "%s", text))
		printf("#   got %d, want %d: %s\n", r, want, err->text);
	return r == want;
}

void skip(const char *name, const char *why)
{
	tap_skip(name, why);
}

char *make_bytes(size_t len, unsigned seed)
{
	char *bytes = malloc(len + 1);
	uint32_t x = seed * 2654435761u + 1;

	if (!bytes)
		abort();
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (char)(x >> 24);
	}
	return bytes;
}

/* The location "URI/conformance-PID", which nobody else uses. */
static char *make_location(const char *uri)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "%s/conformance-%d", uri, getpid());
	if (!strncmp(text, "file://", 7) && mkdir(text + 7, 0700) < 0) {
		printf("Bail out! mkdir %s: %s\n", text + 7, strerror(errno));
		exit(99);
	}
	return strdup(text);
}

static struct cred_source *environment(bool is_file)
{
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;

	if (getenv("AWS_ACCESS_KEY_ID") && !is_file)
		must(cred_source_env(&creds, &err), &err, "credential");
	return creds;
}

static void clean_up(struct subject *s)
{
	struct buf keys = BUF_INIT;
	struct err err = ERR_INIT;
	int r = list_keys(s->b, "", NULL, &keys, &err);
	char *rest = keys.data, *key;

	while (r == 0 && (key = strsep(&rest, "\n")) && *key)
		r = backend_sync_delete(s->b, key, NULL, soon(), &err);
	if (r == 0)
		r = list_keys(s->b, "", NULL, &keys, &err);
	check(r == 0 && keys.len == 0, "all that was written can be deleted");
	buf_release(&keys);
	if (!strncmp(s->how.uri, "file://", 7)) {
		char line[1200];

		(void)snprintf(line, sizeof(line), "rm -rf '%s'",
			       s->how.uri + 7);
		if (system(line) != 0)
			printf("# left behind: %s\n", s->how.uri);
	}
}

int main(int argc, char **argv)
{
	struct subject s = { .has_any_key = true };
	const struct http_options options = { .threads = 2 };
	struct err err = ERR_INIT;
	char *location;

	if (argc < 2) {
		fprintf(stderr, "conformance URI [URL [path|virtual]]\n");
		return 2;
	}
	location = make_location(argv[1]);
	s.how.uri = location;
	s.how.override_url = argc > 2 ? argv[2] : NULL;
	s.has_any_key = strncmp(location, "file://", 7) != 0;
	s.how.creds = environment(!s.has_any_key);
	if (argc > 3)
		s.how.addressing = strcmp(argv[3], "path") ?
					   ADDRESSING_VIRTUAL :
					   ADDRESSING_PATH;
	must(http_engine_new(&s.engine, &options, &err), &err, "engine");
	s.b = must_open(&s.how, s.engine);

	test_reading(&s);
	test_listing(&s);
	test_writing(&s);
	test_races(&s);
	if (s.how.creds)
		test_refusals(&s);
	else
		skip("refusals", "without credentials there are none");

	clean_up(&s);
	backend_put_ref(s.b);
	http_engine_free(s.engine);
	if (s.how.creds)
		cred_source_put_ref(s.how.creds);
	free(location);
	return tap_done();
}
