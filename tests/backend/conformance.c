/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The suite against one store, as TAP.  Credentials are the environment's.
 *
 *	conformance [-u URL] [-s path|virtual] [-l WHAT]... URI
 *
 * -l: the store lacks "conditions" on writes, or "tokens" of temporary keys,
 * a "backslash" in names, "abort" of uploads.
 * The location gets a folder of its own, which is empty again at the end.
 *
 *	conformance -d DIR [-c CASE] [-f] [-u URL] [-s path|virtual] URI
 *
 * Nothing is written: the location holds the objects of the folder DIR, whose
 * files are named as their keys, percent-encoded.  -f: none can be read.
 */
#include <config.h>
#include "tests/backend/conformance.h"

#include <sys/stat.h>
#include "backends/auth/google/cred_google.h"
#include "backends/base/encode.h"

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

static struct cred_source *bearer(char *token)
{
	const struct cred cred = {
		.kind = CRED_BEARER,
		.token = token,
		.expires_s = INT64_MAX,
	};
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;

	must(cred_source_fixed(&creds, "test", &cred, &err), &err, "token");
	return creds;
}

/*
 * AWS's keys, what Google's clients would find, or a token or a connection
 * string of Azure's; NULL: none.
 */
static struct cred_source *environment(const char *uri,
				       struct http_engine *engine)
{
	const char *connection = getenv("AZURE_STORAGE_CONNECTION_STRING");
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;

	if (is_scheme(uri, "file"))
		return NULL;
	if (is_scheme(uri, "azure") && getenv("AZURE_TOKEN"))
		return bearer(getenv("AZURE_TOKEN"));
	if (is_scheme(uri, "azure"))
		return connection ? azure_creds(uri, connection) : NULL;
	if (getenv("AWS_ACCESS_KEY_ID"))
		must(cred_source_env(&creds, &err), &err, "credential");
	else if (getenv("GCE_METADATA_HOST"))
		must(cred_source_google(&creds, engine, &err), &err,
		     "credential");
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

struct options {
	const char *uri;
	const char *dir;
	unsigned number;	/* of the case */
	bool is_broken;
};

static void lack(struct subject *s, const char *what)
{
	if (!strcmp(what, "conditions"))
		s->has_conditions = false;
	else if (!strcmp(what, "tokens"))
		s->has_tokens = false;
	else if (!strcmp(what, "backslash"))
		s->has_backslash = false;
	else if (!strcmp(what, "abort"))
		s->has_abort = false;
	else
		exit(2);
}

static void parse(int argc, char **argv, struct options *o, struct subject *s)
{
	int option;

	while ((option = getopt(argc, argv, "u:s:l:d:c:f")) != -1) {
		if (option == 'u')
			s->how.override_url = optarg;
		else if (option == 's')
			s->how.addressing = strcmp(optarg, "path") ?
						    ADDRESSING_VIRTUAL :
						    ADDRESSING_PATH;
		else if (option == 'l')
			lack(s, optarg);
		else if (option == 'd')
			o->dir = optarg;
		else if (option == 'c')
			o->number = (unsigned)atoi(optarg);
		else if (option == 'f')
			o->is_broken = true;
		else
			exit(2);
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: conformance [-u URL] [-s STYLE] "
				"[-l WHAT] [-d DIR [-c CASE] [-f]] URI\n");
		exit(2);
	}
	o->uri = argv[optind];
}

static void test_all(struct subject *s)
{
	test_reading(s);
	test_listing(s);
	test_writing(s);
	if (s->has_conditions) {
		test_races(s);
	} else {
		in_case(27);
		skip("races", "the store has no conditional writes");
	}
	in_case(0);
	if (s->how.creds && getenv("AWS_ACCESS_KEY_ID"))
		test_refusals(s);
	else
		skip("refusals", "without credentials there are none");
	clean_up(s);
}

int main(int argc, char **argv)
{
	struct options o = { .number = 17 };
	struct subject s = {
		.has_conditions = true,
		.has_tokens = true,
		.has_backslash = true,
		.has_abort = true,
	};
	const struct http_options options = { .threads = 2 };
	struct err err = ERR_INIT;
	char *location;

	parse(argc, argv, &o, &s);
	location = o.dir ? strdup(o.uri) : make_location(o.uri);
	s.how.uri = location;
	s.how.read_only = o.dir != NULL;
	s.has_any_key = strncmp(location, "file://", 7) != 0;
	must(http_engine_new(&s.engine, &options, &err), &err, "engine");
	s.how.creds = environment(location, s.engine);
	s.b = must_open(&s.how, s.engine);
	if (o.dir) {
		in_case(o.number);
		test_directory(&s, o.dir, o.is_broken);
	} else {
		test_all(&s);
	}
	backend_put_ref(s.b);
	if (s.how.creds)
		cred_source_put_ref(s.how.creds);
	http_engine_free(s.engine);
	free(location);
	return cases_done();
}
