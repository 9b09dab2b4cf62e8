/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/registry/manifest_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <criterion/criterion.h>
#include "backends/base/digest.h"

static char dir[] = "/tmp/datasetfs-source-test-XXXXXX";
static struct backend *b;

struct stream {
	struct digest *sum;
	uint64_t bytes;
	uint64_t stop_at;	/* 0: never */
	int stop_with;
	const char *change;	/* a file to rewrite on the first call */
};

static int take(void *arg, const void *bytes, size_t len, struct err *err)
{
	struct stream *s = arg;

	(void)err;
	if (s->change) {
		char path[256];
		FILE *f;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, s->change);
		f = fopen(path, "r+");
		cr_assert_not_null(f);
		cr_assert_eq(fputs("changed", f) < 0, 0);
		cr_assert_eq(fclose(f), 0);
		s->change = NULL;
	}
	digest_add(s->sum, bytes, len);
	s->bytes += len;
	return s->stop_at && s->bytes >= s->stop_at ? s->stop_with : 0;
}

/* size bytes of a known pattern; its MD5 goes to md5. */
static void make_object(const char *name, size_t size, uint8_t md5[MD5_SIZE])
{
	struct digest *sum = digest_new(DIGEST_MD5);
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(i * 7 + i / 4096);

		cr_assert_neq(fputc(byte, f), EOF);
		digest_add(sum, &byte, 1);
	}
	cr_assert_eq(fclose(f), 0);
	digest_finish(sum, md5);
	digest_free(sum);
}

static void setup(void)
{
	cleanup_uri struct uri uri;
	struct backend_spec spec = { .location = &uri, .read_only = true };
	struct err err = ERR_INIT;
	char text[128];

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(text, sizeof(text), "file://%s", dir);
	cr_assert_eq(uri_parse_location(&uri, text, &err), 0);
	cr_assert_eq(backend_open(&b, &spec, NULL, &err), 0, "%s", err.text);
}

static void teardown(void)
{
	char line[64];

	backend_put_ref(b);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(manifest_source, .init = setup, .fini = teardown);

static void check_size(size_t size)
{
	struct stream s = { .sum = digest_new(DIGEST_MD5) };
	uint8_t want[MD5_SIZE], got[MD5_SIZE];
	_Atomic uint64_t done = 0, all = 0;
	struct err err = ERR_INIT;

	make_object("object", size, want);
	cr_assert_eq(manifest_source_read(b, "object", take, &s, &done, &all,
					  &err), 0, "%s", err.text);
	digest_finish(s.sum, got);
	digest_free(s.sum);
	cr_assert_eq(s.bytes, size);
	cr_assert_eq(done, size);
	cr_assert_eq(all, size);
	cr_assert_eq(memcmp(got, want, sizeof(got)), 0);
}

Test(manifest_source, every_size_around_a_range_arrives_whole)
{
	static const size_t sizes[] = {
		0, 1, MANIFEST_RANGE - 1, MANIFEST_RANGE, MANIFEST_RANGE + 1,
		3 * MANIFEST_RANGE, 3 * MANIFEST_RANGE + 5,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_size(sizes[i]);
}

Test(manifest_source, a_missing_object_is_missing)
{
	struct stream s = { .sum = digest_new(DIGEST_MD5) };
	struct err err = ERR_INIT;

	cr_assert_eq(manifest_source_read(b, "no", take, &s, NULL, NULL, &err),
		     -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
	digest_free(s.sum);
}

Test(manifest_source, the_reader_can_stop)
{
	struct stream s = { .sum = digest_new(DIGEST_MD5), .stop_at = 1,
			    .stop_with = -EBADMSG };
	uint8_t md5[MD5_SIZE];
	struct err err = ERR_INIT;

	make_object("object", 3 * MANIFEST_RANGE, md5);
	cr_assert_eq(manifest_source_read(b, "object", take, &s, NULL, NULL,
					  &err), -EBADMSG);
	cr_assert_leq(s.bytes, MANIFEST_RANGE);
	digest_free(s.sum);
}

Test(manifest_source, an_object_that_changes_under_the_read_is_told)
{
	struct stream s = { .sum = digest_new(DIGEST_MD5), .change = "object" };
	uint8_t md5[MD5_SIZE];
	struct err err = ERR_INIT;
	int r;

	make_object("object", 8 * MANIFEST_RANGE, md5);
	r = manifest_source_read(b, "object", take, &s, NULL, NULL, &err);
	cr_assert_eq(r, -ESTALE, "%d %s", r, err.text);
	digest_free(s.sum);
}
