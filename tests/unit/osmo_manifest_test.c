/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/osmo/osmo_manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/buf.h"

/* What a parse saw, as text: two parses are equal when their texts are. */
static int record(void *arg, const struct osmo_entry *e, struct err *err)
{
	struct buf *out = arg;

	buf_printf(out, "#%llu", (unsigned long long)e->number);
	buf_str(out, " path=");
	buf_bytes(out, e->relative_path, e->relative_path_len);
	buf_str(out, " from=");
	buf_bytes(out, e->storage_path, e->storage_path_len);
	buf_str(out, " etag=");
	buf_bytes(out, e->etag, e->etag_len);
	buf_printf(out, " size=%llu%s\n", (unsigned long long)e->size,
		   e->is_malformed ? " malformed" : "");
	(void)err;
	return 0;
}

/* Feeds text cut at two places; the bytes of each feed vanish after it. */
static void parse(struct buf *out, const char *text, size_t len, size_t a,
		  size_t b)
{
	const size_t cuts[] = { 0, a, b, len };
	struct osmo_manifest *m;
	struct err err = ERR_INIT;
	int r = 0;

	cr_assert_eq(osmo_manifest_new(&m, record, out, &err), 0);
	for (int i = 0; i < 3 && r == 0; i++) {
		size_t n = cuts[i + 1] - cuts[i];
		char *feed = malloc(n + 1);

		cr_assert_not_null(feed);
		memcpy(feed, text + cuts[i], n);
		r = osmo_manifest_feed(m, feed, n, &err);
		memset(feed, 'X', n);
		free(feed);
	}
	if (r == 0)
		r = osmo_manifest_finish(m, &err);
	buf_printf(out, "%d %s\n", r, r ? err.text : "");
	cr_expect(r == 0 || err.class == ERR_CORRUPT);
	osmo_manifest_free(m);
	cr_assert(!buf_failed(out));
}

static void expect_bytes(const char *text, size_t len, const char *says,
			 size_t says_len)
{
	cleanup_buf struct buf out = BUF_INIT;

	parse(&out, text, len, len, len);
	cr_expect(out.len == says_len && memcmp(out.data, says, says_len) == 0,
		  "%s\ngave %sexpected %s", text, out.data, says);
	for (size_t a = 0; a <= len; a++) {
		size_t step = len < 120 ? 1 : 7;

		for (size_t b = a; b <= len; b += step) {
			cleanup_buf struct buf other = BUF_INIT;

			parse(&other, text, len, a, b);
			cr_assert(other.len == out.len &&
				  memcmp(other.data, out.data, out.len) == 0,
				  "%s\nsplit at %zu, %zu: %s", text, a, b,
				  other.data);
		}
	}
}

#define EXPECT(text, says) \
	expect_bytes(text, sizeof(text) - 1, says, sizeof(says) - 1)

#define ENTRY(path) \
	"{\"relative_path\": \"" path "\", \"storage_path\": \"s\", \"size\": 1}"

Test(osmo_manifest, reads_what_osmo_writes)
{
	EXPECT("[\n{\n    \"relative_path\": \"a/b.txt\",\n"
	       "    \"storage_path\": \"s3://b/p/ID/hashes/e1\",\n"
	       "    \"url\": \"https://h/b\",\n    \"size\": 12,\n"
	       "    \"etag\": \"e1\"\n},\n{\n    \"relative_path\": \"c\",\n"
	       "    \"storage_path\": \"s3://x/c\",\n    \"url\": \"\",\n"
	       "    \"size\": 0,\n    \"etag\": \"\"\n}\n]",
	       "#0 path=a/b.txt from=s3://b/p/ID/hashes/e1 etag=e1 size=12\n"
	       "#1 path=c from=s3://x/c etag= size=0\n0 \n");
}

Test(osmo_manifest, an_empty_array_has_no_entries)
{
	EXPECT("[]", "0 \n");
	EXPECT(" [ \n\t\r ] \n", "0 \n");
}

Test(osmo_manifest, members_come_in_any_order_among_unknown_ones)
{
	EXPECT("[{\"etag\":null,\"x\":{\"size\":[1,{\"a\":-0.5e+3}],\"y\":true},"
	       "\"size\":9007199254740992,\"url\":7,\"storage_path\":\"s\","
	       "\"n\":[],\"relative_path\":\"p\",\"f\":false}]",
	       "#0 path=p from=s etag= size=9007199254740992\n0 \n");
}

Test(osmo_manifest, escapes_become_their_bytes)
{
	EXPECT("[" ENTRY("\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041") "]",
	       "#0 path=\"\\/\b\f\n\r\tA from=s etag= size=1\n0 \n");
	EXPECT("[" ENTRY("\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9") "]",
	       "#0 path=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9"
	       " from=s etag= size=1\n0 \n");
	EXPECT("[" ENTRY("a\\u0000b") "]",
	       "#0 path=a\0b from=s etag= size=1\n0 \n");
}

Test(osmo_manifest, a_name_that_was_no_utf8_is_given_back)
{
	EXPECT("[" ENTRY("\\udcff.\\udc80") "]",
	       "#0 path=\xff.\x80 from=s etag= size=1\n0 \n");
}

Test(osmo_manifest, a_lone_surrogate_is_marked)
{
	EXPECT("[" ENTRY("\\ud800x") "," ENTRY("ok") "]",
	       "#0 path=\xed\xa0\x80x from=s etag= size=1 malformed\n"
	       "#1 path=ok from=s etag= size=1\n0 \n");
	EXPECT("[" ENTRY("\\ud800\\ud800\\udc00") "]",
	       "#0 path=\xed\xa0\x80\xf0\x90\x80\x80 from=s etag= size=1"
	       " malformed\n0 \n");
	EXPECT("[" ENTRY("\\udc00") "]",
	       "#0 path=\xed\xb0\x80 from=s etag= size=1 malformed\n0 \n");
	EXPECT("[" ENTRY("\\ud800\\n") "]",
	       "#0 path=\xed\xa0\x80\n from=s etag= size=1 malformed\n0 \n");
}

static void expect_refused(const char *text, const char *says)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_buf struct buf all = BUF_INIT;
	size_t len = strlen(text);

	parse(&out, text, len, len, len);
	buf_printf(&all, "%d ", -EBADMSG);
	cr_expect(strstr(out.data, all.data) && strstr(out.data, says),
		  "%s\ngave %s", text, out.data);
	for (size_t a = 0; a <= len; a++) {
		cleanup_buf struct buf other = BUF_INIT;

		parse(&other, text, len, a, a < len ? a + 1 : a);
		cr_assert_str_eq(other.data, out.data, "split at %zu", a);
	}
}

Test(osmo_manifest, refuses_what_is_no_manifest)
{
	expect_refused("", "cut off");
	expect_refused("{}", "byte 0: not a JSON array");
	expect_refused("\xef\xbb\xbf[]", "byte 0: not a JSON array");
	expect_refused("[1]", "byte 1: not an object");
	expect_refused("[[]]", "not an object");
	expect_refused("[{}]", "relative_path is missing");
	expect_refused("[{\"relative_path\":\"a\"}]", "storage_path is missing");
	expect_refused("[{\"relative_path\":\"a\",\"storage_path\":\"b\"}]",
		       "size is missing");
	expect_refused("[" ENTRY("a") ",]", "not an object");
	expect_refused("[" ENTRY("a") "]x", "bytes behind the array");
	expect_refused("[" ENTRY("a") "][]", "bytes behind the array");
	expect_refused("[" ENTRY("a") " " ENTRY("b") "]", "comma");
	expect_refused("[{\"a\" 1}]", "colon");
	expect_refused("[{\"a\":1,}]", "member name");
	expect_refused("[{\"a\":tru}]", "unknown word");
	expect_refused("[{\"a\":01}]", "comma");
	expect_refused("[{\"a\":-}]", "bad number");
	expect_refused("[{\"a\":1.}]", "bad number");
	expect_refused("[{\"a\":1e}]", "bad number");
	expect_refused("[{\"a\":+1}]", "value");
}

Test(osmo_manifest, refuses_members_of_the_wrong_type)
{
	expect_refused("[{\"relative_path\":null}]", "not a string");
	expect_refused("[{\"storage_path\":[]}]", "not a string");
	expect_refused("[{\"etag\":5}]", "not a string");
	expect_refused("[{\"size\":\"1\"}]", "not a whole number");
	expect_refused("[{\"size\":-1}]", "not a whole number");
	expect_refused("[{\"size\":1.0}]", "not a whole number");
	expect_refused("[{\"size\":1e3}]", "not a whole number");
	expect_refused("[{\"size\":00}]", "leading zero");
	expect_refused("[{\"size\":9007199254740993}]", "2^53");
	expect_refused("[{\"size\":99999999999999999999999}]", "2^53");
}

Test(osmo_manifest, refuses_a_member_that_stands_twice)
{
	expect_refused("[{\"size\":1,\"size\":1}]", "twice");
	expect_refused("[{\"etag\":\"\",\"etag\":\"\"}]", "twice");
	expect_refused("[{\"etag\":\"\",\"et\\u0061g\":\"\"}]", "twice");
}

Test(osmo_manifest, refuses_broken_strings)
{
	expect_refused("[{\"a\n\":1}]", "control byte");
	expect_refused("[{\"\\x\":1}]", "bad escape");
	expect_refused("[{\"\\u00g0\":1}]", "bad \\u escape");
	expect_refused("[{\"\xff\":1}]", "not UTF-8");
	expect_refused("[{\"\xc0\x80\":1}]", "not UTF-8");
	expect_refused("[{\"\xe0\x9f\xbf\":1}]", "not UTF-8");
	expect_refused("[{\"\xed\xa0\x80\":1}]", "not UTF-8");
	expect_refused("[{\"\xf4\x90\x80\x80\":1}]", "not UTF-8");
	expect_refused("[{\"\xe2\x82\":1}]", "not UTF-8");
	expect_refused("[{\"\xc3\\n\":1}]", "not UTF-8");
}

Test(osmo_manifest, a_manifest_cut_anywhere_is_refused)
{
	static const char text[] = "[" ENTRY("a\\u00e9") "," ENTRY("b") "]";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		cleanup_buf struct buf out = BUF_INIT;

		parse(&out, text, len, len / 2, len);
		cr_expect(strstr(out.data, "cut off"), "%zu: %s", len,
			  out.data);
	}
}

Test(osmo_manifest, nesting_has_a_limit)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf out = BUF_INIT;

	buf_str(&text, "[{\"x\":");
	for (int i = 0; i < OSMO_DEPTH_MAX; i++)
		buf_char(&text, '[');
	for (int i = 0; i < OSMO_DEPTH_MAX; i++)
		buf_char(&text, ']');
	buf_str(&text, ",\"relative_path\":\"p\",\"storage_path\":\"s\","
		       "\"size\":1}]");
	parse(&out, text.data, text.len, 3, text.len);
	cr_expect(strstr(out.data, "path=p"), "%s", out.data);

	buf_clear(&text);
	buf_str(&text, "[{\"x\":");
	for (int i = 0; i <= OSMO_DEPTH_MAX; i++)
		buf_char(&text, '[');
	expect_refused(text.data, "nested too deep");
}

/* One string of n bytes, in the member that holds it. */
static void string_of(struct buf *text, size_t n, const char *tail)
{
	buf_clear(text);
	buf_str(text, "[{\"size\":1,\"relative_path\":\"p\",\"storage_path\":\"");
	for (size_t i = 0; i < n; i++)
		buf_char(text, 'x');
	buf_printf(text, "%s\"}]", tail);
}

Test(osmo_manifest, strings_have_a_limit_wherever_they_are_split)
{
	cleanup_buf struct buf text = BUF_INIT;

	for (int over = 0; over < 3; over++) {
		string_of(&text, OSMO_STRING_MAX - 1 + (over > 0),
			  over == 1 ? "" : "\\n");
		for (size_t a = 1; a < text.len; a = 3 * a) {
			cleanup_buf struct buf out = BUF_INIT;

			parse(&out, text.data, text.len, a,
			      a + 17 < text.len ? a + 17 : a);
			if (over < 2)
				cr_expect(strstr(out.data, "path=p"), "%d %zu",
					  over, a);
			else
				cr_expect(strstr(out.data, "longer"), "%d %zu",
					  over, a);
		}
	}
}

static int stop(void *arg, const struct osmo_entry *e, struct err *err)
{
	(void)e;
	++*(int *)arg;
	return err_set(err, ERR_SYSTEM, ENOSPC, "full");
}

Test(osmo_manifest, the_callers_refusal_ends_the_parse)
{
	static const char text[] = "[" ENTRY("a") "," ENTRY("b") "]";
	struct osmo_manifest *m;
	struct err err = ERR_INIT;
	int calls = 0;

	cr_assert_eq(osmo_manifest_new(&m, stop, &calls, &err), 0);
	cr_expect_eq(osmo_manifest_feed(m, text, sizeof(text) - 1, &err),
		     -ENOSPC);
	err_clear(&err);
	cr_expect_eq(osmo_manifest_feed(m, "]", 1, &err), -ENOSPC);
	cr_expect_str_eq(err.text, "full");
	cr_expect_eq(osmo_manifest_finish(m, &err), -ENOSPC);
	cr_expect_eq(calls, 1);
	osmo_manifest_free(m);
}
