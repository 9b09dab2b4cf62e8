/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's manifests: the same result for every split of the feed, no entry that
 * another JSON parser would not see, and candidates for repair that stay in
 * the container.
 * fuzz-covers: fs/dataset/osmo/osmo_manifest.c fs/dataset/osmo/osmo_manifest_string.c
 * fuzz-covers: fs/dataset/osmo/osmo_repair.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <jansson.h>

#include "backends/base/buf.h"
#include "backends/base/digest.h"
#include "backends/uri.h"
#include "fs/dataset/osmo/osmo_manifest.h"
#include "fs/dataset/osmo/osmo_repair.h"

#define RANDOM_SPLITS 6

struct result {
	uint64_t n;
	uint64_t sum;		/* of all that the entries held */
	int r;
	struct err err;
};

static void mix(struct result *res, const void *bytes, size_t len)
{
	const uint64_t parts[] = { res->sum, len, digest_xxh3(bytes, len) };

	res->sum = digest_xxh3(parts, sizeof(parts));
}

static int add(void *arg, const struct osmo_entry *e, struct err *err)
{
	struct result *res = arg;

	(void)err;
	FUZZ_CHECK(e->number == res->n);
	FUZZ_CHECK(e->size <= (uint64_t)1 << 53);
	FUZZ_CHECK(e->relative_path_len <= OSMO_STRING_MAX);
	FUZZ_CHECK(e->storage_path_len <= OSMO_STRING_MAX);
	FUZZ_CHECK(e->etag_len <= OSMO_STRING_MAX);
	res->n++;
	mix(res, e->relative_path, e->relative_path_len);
	mix(res, e->storage_path, e->storage_path_len);
	mix(res, e->etag, e->etag_len);
	mix(res, &e->size, sizeof(e->size));
	mix(res, &e->is_malformed, sizeof(e->is_malformed));
	return 0;
}

/* Feeds of step bytes (0: of random lengths), each in memory of its own. */
static void parse(struct result *res, const uint8_t *data, size_t size,
		  size_t step, uint64_t random)
{
	struct osmo_manifest *m;
	size_t at = 0;

	memset(res, 0, sizeof(*res));
	FUZZ_CHECK(osmo_manifest_new(&m, add, res, &res->err) == 0);
	while (at < size && res->r == 0) {
		size_t n = step ? step : 1 + random % 23;
		uint8_t *feed;

		random = random * 6364136223846793005u + 1442695040888963407u;
		random ^= random >> 29;
		if (n > size - at)
			n = size - at;
		feed = malloc(n);
		FUZZ_CHECK(feed);
		memcpy(feed, data + at, n);
		res->r = osmo_manifest_feed(m, feed, n, &res->err);
		free(feed);
		at += n;
	}
	if (res->r == 0)
		res->r = osmo_manifest_finish(m, &res->err);
	osmo_manifest_free(m);
}

static void check_same(const struct result *a, const struct result *b)
{
	FUZZ_CHECK(a->r == b->r);
	FUZZ_CHECK(a->n == b->n);
	FUZZ_CHECK(a->sum == b->sum);
	FUZZ_CHECK(a->r == 0 || strcmp(a->err.text, b->err.text) == 0);
}

/* What is a manifest to us is an array of as many objects to Jansson. */
static void check_json(const struct result *res, const uint8_t *data,
		       size_t size)
{
	json_error_t why;
	json_t *doc;

	/* It refuses lone surrogates, and numbers that a double cannot hold. */
	if (memmem(data, size, "\\ud", 3) || memmem(data, size, "\\uD", 3))
		return;
	doc = json_loadb((const char *)data, size,
			 JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
	if (!doc && json_error_code(&why) == json_error_numeric_overflow)
		return;
	FUZZ_CHECK(doc);
	FUZZ_CHECK(json_is_array(doc));
	FUZZ_CHECK(json_array_size(doc) == res->n);
	json_decref(doc);
}

static int repair(void *arg, const struct osmo_entry *e, struct err *err)
{
	char *source = fuzz_string((const uint8_t *)e->storage_path,
				   e->storage_path_len);
	cleanup_uri struct uri from = { 0 };
	struct osmo_repair candidates;
	bool is_uri;

	(void)arg;
	FUZZ_CHECK(osmo_repair_init(&candidates, e->relative_path,
				    e->relative_path_len, e->storage_path,
				    e->storage_path_len, err) == 0);
	is_uri = uri_parse_object(&from, source, err) == 0;
	FUZZ_CHECK(candidates.n <= OSMO_REPAIR_MAX);
	FUZZ_CHECK(is_uri || candidates.n == 0);
	for (size_t i = 0; i < candidates.n; i++) {
		cleanup_uri struct uri to = { 0 };

		if (uri_parse_object(&to, candidates.uris[i], err) < 0)
			continue;	/* "..", in a place that has none */
		FUZZ_CHECK(strcmp(to.profile, from.profile) == 0);
		FUZZ_CHECK(strcmp(to.container ? to.container : "",
				  from.container ? from.container : "") == 0);
		FUZZ_CHECK(strcmp(candidates.uris[i], source) != 0);
	}
	osmo_repair_release(&candidates);
	free(source);
	return 0;
}

static void check_repair(const uint8_t *data, size_t size)
{
	struct osmo_manifest *m;
	struct err err = ERR_INIT;

	FUZZ_CHECK(osmo_manifest_new(&m, repair, NULL, &err) == 0);
	FUZZ_CHECK(osmo_manifest_feed(m, data, size, &err) == 0);
	osmo_manifest_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, other;

	parse(&whole, data, size, size ? size : 1, 0);
	FUZZ_CHECK(whole.r == 0 || whole.r == -EBADMSG);
	parse(&other, data, size, 1, 0);
	check_same(&whole, &other);
	for (uint64_t i = 0; i < RANDOM_SPLITS; i++) {
		parse(&other, data, size, 0, digest_xxh3(data, size) + i);
		check_same(&whole, &other);
	}
	if (whole.r == 0) {
		check_json(&whole, data, size);
		check_repair(data, size);
	}
	return 0;
}
