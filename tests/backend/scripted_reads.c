/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/scripted.h"

#define PART "206 Partial Content"
#define RANGE(r) "ETag: \"e1\"\nContent-Range: bytes " r "\n"

static void exact_ranges(void)
{
	static const struct {
		const char *name;
		struct script_step step;
		uint64_t offset;
		uint64_t size;
		int want;
		unsigned number;
	} cases[] = {
		{ "an exact range", { PART, RANGE("2-5/10"), "2345" }, 2, 10,
		  0, 17 },
		{ "a range without an etag",
		  { PART, "Content-Range: bytes 2-5/10\n", "2345" }, 2, 10, 0,
		  24 },
		{ "an encoded object is its stored bytes",
		  { PART, "Content-Encoding: gzip\n" RANGE("2-5/10"), "2345" },
		  2, 10, 0, 22 },
		{ "another start", { PART, RANGE("1-5/10"), "2345" }, 2, 10,
		  -EBADMSG, 19 },
		{ "another place", { PART, RANGE("3-6/10"), "3456" }, 2, 10,
		  -EBADMSG, 19 },
		{ "another end", { PART, RANGE("2-6/10"), "2345" }, 2, 10,
		  -EBADMSG, 19 },
		{ "another total", { PART, RANGE("2-5/11"), "2345" }, 2, 10,
		  -EBADMSG, 19 },
		{ "an unknown total", { PART, RANGE("2-5/*"), "2345" }, 2, 10,
		  -EBADMSG, 19 },
		{ "no Content-Range", { PART, NULL, "2345" }, 2, 10, -EBADMSG,
		  19 },
		{ "a longer body", { PART, RANGE("2-6/10"), "23456" }, 2, 10,
		  -EBADMSG, 19 },
		{ "the object ends before", { PART, RANGE("2-3/4"), "23" }, 2,
		  BACKEND_SIZE_UNKNOWN, -EBADMSG, 19 },
		{ "the whole is the range", { "200 OK", NULL, "0123" }, 0, 4,
		  0, 18 },
		{ "the whole is longer", { "200 OK", NULL, "0123456789" }, 0,
		  10, -EBADMSG, 18 },
		{ "the whole is shorter", { "200 OK", NULL, "01" }, 0,
		  BACKEND_SIZE_UNKNOWN, -EBADMSG, 18 },
		{ "the whole in place of a middle", { "200 OK", NULL, "0123" },
		  2, BACKEND_SIZE_UNKNOWN, -EBADMSG, 18 },
		{ "no content", { "204 No Content", NULL, NULL }, 2, 10,
		  -EBADMSG, 18 },
		{ "no such range",
		  { "416 Range Not Satisfiable", NULL,
		    "<Error><Code>InvalidRange</Code></Error>" },
		  2, BACKEND_SIZE_UNKNOWN, -EBADMSG, 17 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene sc;
		int r;

		in_case(cases[i].number);
		scene_begin(&sc, NULL, NULL, &cases[i].step, 1);
		r = scene_get(&sc, cases[i].offset, 4, NULL, cases[i].size);
		check_scene(&sc, r, cases[i].want, 1, cases[i].name);
		check(r < 0 ? sc.err.class == ERR_CORRUPT :
			      !memcmp(sc.bytes, cases[i].offset ? "2345" :
								  "0123",
				      5),
		      "... %s", r < 0 ? sc.err.text : "has its bytes");
		scene_end(&sc);
	}
}

static void short_bodies(void)
{
	SCENE(once, { PART, RANGE("0-3/4"), "01" },
	      { PART, RANGE("0-3/4"), "0123" });
	SCENE(always, { PART, RANGE("0-3/4"), "01" });
	int r = scene_get(&once, 0, 4, NULL, 4);

	check_scene(&once, r, 0, 2, "a short body is asked for again");
	scene_end(&once);
	r = scene_get(&always, 0, 4, NULL, 4);
	check_scene(&always, r, -EBADMSG, 3, "... but not for ever");
	scene_end(&always);
}

static void broken_bodies(void)
{
	SCENE(torn, { PART, RANGE("2-9/10"), "########", .cut_at = 3 },
	      { PART, RANGE("2-9/10"), "########", .cut_at = 7 },
	      { PART, RANGE("2-9/10"), "23456789" });
	int r = scene_get(&torn, 2, 8, NULL, 10);

	check_scene(&torn, r, 0, 3, "a broken body begins again");
	check(!strcmp(torn.bytes, "23456789") &&
		      asked(&torn, 1, "range: bytes=2-9") &&
		      asked(&torn, 2, "range: bytes=2-9"),
	      "... and nothing of it is kept: %s", torn.bytes);
	scene_end(&torn);
}

/* Chunks that are none: what they decode to is other bytes of the object. */
static void false_framing(void)
{
	SCENE(both,
	      { PART,
		"Transfer-Encoding: chunked\nContent-Length: 16\n"
		RANGE("0-7/8"), "3\r\n###\r\nno chunk" },
	      { PART, RANGE("0-7/8"), "01234567" });
	SCENE(chunks,
	      { PART, "Transfer-Encoding: chunked\n" RANGE("0-7/8"),
		"3\r\n###\r\nno chunk" },
	      { PART, RANGE("0-7/8"), "01234567" });
	int r = scene_get(&both, 0, 8, NULL, 8);

	check_scene(&both, r, 0, 2, "a length beside chunks is asked again");
	check(!strcmp(both.bytes, "01234567"), "... for all of it: %s",
	      both.bytes);
	scene_end(&both);

	r = scene_get(&chunks, 0, 8, NULL, 8);
	check_scene(&chunks, r, 0, 2, "... and chunks that break off");
	check(!strcmp(chunks.bytes, "01234567"), "... the same: %s",
	      chunks.bytes);
	scene_end(&chunks);
}

static void silence(void)
{
	SCENE(sc, { PART, RANGE("2-9/10"), "########", .cut_at = 3,
		    .is_stalled = true },
	      { PART, RANGE("2-9/10"), "23456789" });
	int r = scene_get(&sc, 2, 8, NULL, 10);
	int64_t took_ms = clock_ms() - sc.begun_ms;

	check_scene(&sc, r, 0, 2, "a body that falls silent is asked again");
	check(!strcmp(sc.bytes, "23456789") && took_ms < 8000,
	      "... before long (%lld ms), for the whole range: %s",
	      (long long)took_ms, sc.bytes);
	scene_end(&sc);
}

static void changed_objects(void)
{
	SCENE(deaf, { PART, "ETag: \"e2\"\nContent-Range: bytes 0-3/4\n",
		      "0123" });
	SCENE(between, { PART, RANGE("0-3/4"), "0123", .cut_at = 2 },
	      { PART, "ETag: \"e2\"\nContent-Range: bytes 0-3/4\n", "abcd" });
	SCENE(pinned, { PART, RANGE("0-3/4"), "0123", .cut_at = 2 },
	      { "412 Precondition Failed", NULL, NULL });
	int r = scene_get(&deaf, 0, 4, "e1", 4);

	check_scene(&deaf, r, -ESTALE, 1,
		    "a store that ignores If-Match is seen by its etag");
	scene_end(&deaf);

	r = scene_get(&between, 0, 4, NULL, 4);
	check_scene(&between, r, 0, 2, "changed between two attempts");
	check(!strcmp(between.bytes, "abcd") &&
		      !strcmp(between.info.etag, "e2"),
	      "... it is never half of each: %s", between.bytes);
	scene_end(&between);

	r = scene_get(&pinned, 0, 4, "e1", 4);
	check_scene(&pinned, r, -ESTALE, 2,
		    "... and stale for who asked for one");
	scene_end(&pinned);
}

static void whole_objects(void)
{
	SCENE(cut, { "200 OK", "ETag: \"e1\"\n", "0123456789", .cut_at = 5 },
	      { "200 OK", "ETag: \"e1\"\n", "0123456789" });
	SCENE(endless, { "200 OK", "Transfer-Encoding: chunked\n",
			 "c\r\n0123456789ab\r\n0\r\n\r\n" });
	struct buf out = BUF_INIT;
	int r;

	buf_str(&out, "x");
	r = backend_sync_get_all(cut.b, "k", 10, &out, &cut.info, soon(),
				 &cut.err);
	check_scene(&cut, r, 0, 2, "a whole object that breaks begins again");
	check(!strcmp(out.data, "x0123456789"), "... behind what was there: %s",
	      out.data);
	scene_end(&cut);

	r = backend_sync_get_all(endless.b, "k", 10, &out, &endless.info,
				 soon(), &endless.err);
	check(r < 0 && !strcmp(out.data, "x0123456789"),
	      "one that is longer than the limit is none: %s",
	      endless.err.text);
	scene_end(&endless);
	buf_release(&out);
}

static void heads(void)
{
	SCENE(full, { "200 OK",
		      "ETag: \"e1\"\nContent-Length: 123\n"
		      "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n",
		      .is_head = true });
	SCENE(odd, { "200 OK",
		     "ETag: \"a b\"\nContent-Length: 1\n"
		     "Last-Modified: yesterday\n",
		     .is_head = true });
	int r = backend_sync_head(full.b, "k", &full.info, soon(), &full.err);

	check_scene(&full, r, 0, 1, "a head");
	check(full.info.size == 123 && !strcmp(full.info.etag, "e1") &&
		      full.info.mtime_s == 784111777,
	      "... is read");
	scene_end(&full);
	r = backend_sync_head(odd.b, "k", &odd.info, soon(), &odd.err);
	check_scene(&odd, r, 0, 1, "a head with an etag that cannot be sent");
	check(odd.info.size == 1 && !odd.info.etag[0] && !odd.info.mtime_s,
	      "... has none");
	scene_end(&odd);
}

void scripted_reads(void)
{
	exact_ranges();
	in_case(21);
	short_bodies();
	broken_bodies();
	false_framing();
	in_case(34);
	silence();
	in_case(20);
	changed_objects();
	in_case(21);
	whole_objects();
	in_case(24);
	heads();
	in_case(0);
}
