/* SPDX-License-Identifier: Apache-2.0 */
/* What OSMO's client prints, with its traps. */
#include <config.h>
#include "fs/dataset/import/osmo_json.h"

#include <errno.h>
#include <criterion/criterion.h>
#include "tests/unit/source_text.h"

static struct import_source *src;
static struct err err;

static void setup(void)
{
	err_clear(&err);
	src = import_source_new();
}

static void teardown(void)
{
	import_source_free(src);
}

TestSuite(osmo_json, .init = setup, .fini = teardown);

static int read_text(const char *text)
{
	/* A copy without a byte more, for the sanitizer. */
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	int r;

	memcpy(copy, text, len);
	r = osmo_json_read(src, "out.json", copy, len, &err);
	free(copy);
	return r;
}

static void read_fixture(const char *name)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[128];

	(void)snprintf(path, sizeof(path), "osmo-json/%s", name);
	fixture_read(&text, path);
	cr_assert_eq(osmo_json_read(src, name, text.data, text.len, &err), 0,
		     "%s", err.text);
}

static const char expected[] =
	"dataset Yb3kq0HnSHuGuLxg2ZfPzA name=imagenet bucket=production "
	"by=ada@example.com hashes=s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/hashes "
	"labels={\\x22team\\x22:\\x22vision\\x22,\\x22tab\\x5ctkey\\x22:\\x22a"
	"\\x5ctb \\x5c\\x22q\\x5c\\x22 \\x5c\\x5c \xc3\xa9 \xf0\x9f\x98\x80\\x22} "
	"problem=- stored=140737488 created=1777636800 details\n"
	"  version 1 READY uri=s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/1.json "
	"checksum=9e107d9d372bb6826bd81d3542a419d6 by=ada@example.com "
	"metadata={\\x22description\\x22:\\x22\\x22} problem=- size=3145728 "
	"created=1777636800 used=1779265800\n"
	"  version 2 READY uri=s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/2.json "
	"checksum=5d41402abc4b2a76b9719d911017c592 by=ada@example.com "
	"metadata={\\x22description\\x22:\\x22second\\x22,\\x22n\\x22:0.1} problem=- "
	"size=7340032 created=1777723200 used=1779352200\n"
	"  version 3 PENDING_DELETE uri=s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/3.json "
	"checksum=5d41402abc4b2a76b9719d911017c593 by=ada@example.com "
	"metadata={} problem=- size=7340033 created=1777809600 used=0\n"
	"  version 4 PENDING uri=s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/4.json "
	"checksum= by=ada@example.com metadata={} problem=- size=0 "
	"created=1777896000 used=0\n"
	"  tag 2 1\n  tag 7 2\n  tag baseline 1\n  tag latest 2\n"
	"dataset archiveArchiveArchivex name=imagenet bucket=archive by= "
	"hashes=s3://arch/x labels={} problem=- stored=1 created=1777939200\n"
	"dataset listedlistedlistedlixx name=only-listed bucket=production by= "
	"hashes=s3://prod/x labels={} problem=- stored=0 created=1777852800\n"
	"collection 0c9w2m3wR3qv7hJrmZ8qLg name=robots bucket=production by=bob "
	"hashes= labels={\\x22owner\\x22:\\x22lab\\x22} problem=- stored=0 "
	"created=1777852800 details\n"
	"  member Yb3kq0HnSHuGuLxg2ZfPzA 2\n";

static void settled_is(const char *want)
{
	cleanup_buf struct buf got = BUF_INIT;

	cr_assert_eq(import_source_settle(src, &err), 0);
	source_text(&got, src);
	cr_assert_str_eq(got.data, want, "%s", got.data);
}

Test(osmo_json, a_list_and_infos_in_files_of_their_own)
{
	read_fixture("list.json");
	read_fixture("imagenet.json");
	read_fixture("robots.json");
	settled_is(expected);
	cr_expect_eq(src->n_notes, 0);
}

Test(osmo_json, the_order_of_the_documents_does_not_matter)
{
	read_fixture("robots.json");
	read_fixture("imagenet.json");
	read_fixture("list.json");
	settled_is(expected);
}

Test(osmo_json, everything_in_one_text_with_what_is_printed_around_it)
{
	read_fixture("all-in-one.txt");
	settled_is(expected);
	cr_expect_eq(src->n_notes, 0, "%s", src->n_notes ? src->notes[0] : "");
}

Test(osmo_json, nothing_found_is_a_source_without_datasets)
{
	cr_assert_eq(read_text("No Datasets fit your query.\n{\n    \"datasets\": []\n}\n"),
		     0, "%s", err.text);
	cr_expect_eq(src->n_datasets, 0);
}

Test(osmo_json, a_text_that_is_cut_is_refused_with_its_line)
{
	cleanup_buf struct buf text = BUF_INIT;

	fixture_read(&text, "osmo-json/imagenet.json");
	for (size_t len = 1; len + 2 < text.len; len += 7) {
		cleanup_import_source struct import_source *s =
			import_source_new();

		err_clear(&err);
		cr_expect_eq(osmo_json_read(s, "cut.json", text.data, len, &err),
			     -EBADMSG, "cut at %zu: %s", len, err.text);
		cr_expect_not_null(strstr(err.text, "cut.json: the document at "
					  "line 1"), "%s", err.text);
	}
}

Test(osmo_json, damage_is_refused_with_its_line)
{
	cr_expect_eq(read_text("hello\n{\"datasets\": [}\n"), -EBADMSG);
	cr_expect_not_null(strstr(err.text, "line 2"), "%s", err.text);
	err_clear(&err);
	cr_expect_eq(read_text("{\"datasets\": [], \"datasets\": []}"), -EBADMSG);
	err_clear(&err);
	cr_expect_eq(read_text("{\"id\": \"a\", \"versions\": [1]}"), -EBADMSG);
}

Test(osmo_json, what_is_neither_list_nor_info_is_told)
{
	cr_expect_eq(read_text("{\"buckets\": {}}\n{\"datasets\": []}\n"), 0);
	cr_expect(source_has_note(src, "line 1", "neither a list nor an info"));
	cr_expect_eq(read_text("{\"buckets\": {}}\n"), -ENOENT);
	err_clear(&err);
	cr_expect_eq(read_text("[]\n"), -ENOENT);
	err_clear(&err);
	cr_expect_eq(read_text(""), -ENOENT);
	cr_expect_eq(err.class, ERR_MISSING);
}

static void list_of(struct buf *out, unsigned n)
{
	buf_str(out, "{\"datasets\": [");
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "%s{\"name\": \"n%u\", \"id\": \"i%u\", "
			   "\"bucket\": \"b\", \"type\": \"DATASET\"}",
			   i ? "," : "", i, i);
	buf_str(out, "]}");
}

Test(osmo_json, a_list_that_stops_where_osmo_stops_is_told)
{
	static const unsigned counts[] = { 19, 20, 21, 999, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		cleanup_buf struct buf text = BUF_INIT;
		size_t before = src->n_notes;

		list_of(&text, counts[i]);
		cr_assert_eq(read_text(text.data), 0, "%s", err.text);
		cr_expect_eq(src->n_notes - before,
			     counts[i] == 20 || counts[i] == 1000, "%u",
			     counts[i]);
	}
	cr_expect(source_has_note(src, "exactly 20", "-a -c 1000"));
	cr_expect(source_has_note(src, "1000 is the most", "pg_dump"));
}

Test(osmo_json, an_info_of_exactly_a_hundred_versions_is_told)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_str(&text, "{\"name\": \"n\", \"id\": \"i\", \"bucket\": \"b\", "
		"\"type\": \"DATASET\", \"versions\": [");
	for (unsigned i = 1; i <= 100; i++)
		buf_printf(&text, "%s{\"version\": %u, \"uri\": \"s3://b/m.json\","
			   "\"status\": \"READY\", \"size\": 1}",
			   i > 1 ? "," : "", i);
	buf_str(&text, "]}");
	cr_assert_eq(read_text(text.data), 0, "%s", err.text);
	cr_expect(source_has_note(src, "exactly 100", "dataset info b/n -a -c"));
	cr_expect_eq(src->datasets[0].n_versions, 100);
}

Test(osmo_json, a_list_does_not_forget_what_an_info_said)
{
	read_fixture("imagenet.json");
	cr_assert_eq(read_text("{\"datasets\": [{\"name\": \"imagenet\", "
			       "\"id\": \"Yb3kq0HnSHuGuLxg2ZfPzA\", "
			       "\"bucket\": \"production\"}]}"), 0);
	cr_expect_str_eq(src->datasets[0].created_by, "ada@example.com");
}

Test(osmo_json, numbers_of_users_stay_digit_by_digit)
{
	cr_assert_eq(read_text("{\"name\": \"n\", \"id\": \"i\", \"labels\": "
			       "{\"x\": 1.10, \"y\": [1E5, -0.0]}, "
			       "\"versions\": [{\"version\": \"1\", "
			       "\"metadata\": {\"z\": 100000000000000000000.5}},]}"),
		     0, "%s", err.text);
	cr_expect_str_eq(src->datasets[0].labels, "{\"x\":1.10,\"y\":[1E5,-0.0]}");
	cr_expect_str_eq(src->datasets[0].versions[0].metadata,
			 "{\"z\":100000000000000000000.5}");
}

Test(osmo_json, a_number_that_nobody_can_hold_hides_nothing_else)
{
	cr_assert_eq(read_text("{\"name\": \"n\", \"id\": \"i\", "
			       "\"bucket\": \"b\", \"labels\": {\"ok\": 1}, "
			       "\"versions\": [{\"version\": 1, \"size\": 5, "
			       "\"status\": \"READY\", \"uri\": \"s3://b/1.json\", "
			       "\"metadata\": {\"n\": 123456789012345678901234567890, "
			       "\"x\": -1e999}},{\"version\": 2, \"status\": "
			       "\"READY\", \"uri\": \"s3://b/2.json\", \"size\": "
			       "9223372036854775808}, {\"version\": 3, \"status\": "
			       "\"READY\", \"uri\": \"s3://b/3.json\", \"size\": "
			       "9223372036854775807}]}"), 0, "%s", err.text);
	cr_assert_eq(src->datasets[0].n_versions, 3);
	cr_expect_null(src->datasets[0].versions[0].metadata);
	cr_expect_null(src->datasets[0].versions[0].problem);
	cr_expect(source_has_note(src, "metadata", "beyond 64 bits"));
	cr_expect_str_eq(src->datasets[0].versions[1].problem,
			 "its size is not a size");
	cr_expect_eq(src->datasets[0].versions[2].size, INT64_MAX);
}

Test(osmo_json, nesting_without_end_is_refused)
{
	char text[4096];

	memset(text, '{', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(read_text(text), -EBADMSG);
	memset(text, '[', sizeof(text) - 1);
	err_clear(&err);
	cr_expect_lt(read_text(text), 0);
}
