/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google's flavour of the dialect: whom it is spoken to, generations, and
 * gzip that is undone on the way.
 */
#include <config.h>
#include "tests/backend/scripted.h"

#define GOOGLE_KEY "GOOG1EXAMPLE"
#define ERROR(code) "<Error><Code>" code "</Code></Error>"
#define GENERATION "ETag: \"e1\"\nx-goog-generation: 1732156539000123\n"
#define PART "206 Partial Content", GENERATION "Content-Range: bytes 2-5/10\n"

static struct cred_source *google_creds;

#define GOOGLE(sc, ...)                                                        \
	static const struct script_step steps_##sc[] = { __VA_ARGS__ };        \
	struct scene sc;                                                       \
	scene_begin(&sc, "gs://bkt/p", google_creds, steps_##sc,               \
		    ARRAY_SIZE(steps_##sc))

static int put(struct scene *sc, bool create_only, const char *if_match)
{
	return put_text(sc->b, "k", "v", create_only, if_match, &sc->info);
}

static void dialects(void)
{
	static const struct script_step ok[] = { { PART, "2345" } };
	struct scene theirs, ours, plain;
	int r;

	scene_begin(&theirs, "gs://bkt/p", google_creds, ok, 1);
	r = scene_get(&theirs, 2, 4, NULL, 10);
	check_scene(&theirs, r, 0, 1, "a key of Google's");
	check(asked(&theirs, 0, "authorization: GOOG4-HMAC-SHA256 Credential="
				GOOGLE_KEY "/") &&
		      asked(&theirs, 0, "/auto/storage/goog4_request") &&
		      asked(&theirs, 0, "x-goog-date: ") &&
		      asked(&theirs, 0, "!amz") && asked(&theirs, 0, "!AWS4"),
	      "... signs in Google's words alone");
	check(asked(&theirs, 0, "accept-encoding: gzip") &&
		      asked(&theirs, 0, "!;accept-encoding") &&
		      asked(&theirs, 0, "!=accept-encoding"),
	      "... and leaves Accept-Encoding unsigned");
	scene_end(&theirs);

	/* Ceph as a gs server: another key, on another host. */
	scene_begin(&ours, "gs://bkt/p", NULL, ok, 1);
	r = scene_get(&ours, 2, 4, NULL, 10);
	check_scene(&ours, r, 0, 1, "another key on another host");
	check(asked(&ours, 0, "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/") &&
		      asked(&ours, 0, "x-amz-date: ") &&
		      asked(&ours, 0, "!x-goog"),
	      "... signs in Amazon's");
	scene_end(&ours);

	scene_begin(&plain, NULL, google_creds, ok, 1);
	r = scene_get(&plain, 2, 4, NULL, 10);
	check(r == 0 && asked(&plain, 0, "AWS4-HMAC-SHA256") &&
		      !plain.info.generation[0],
	      "s3:// knows neither Google's words nor generations");
	scene_end(&plain);
}

static void pinned_reads(void)
{
	GOOGLE(good, { PART, "2345" });
	GOOGLE(gone, { "404 Not Found", NULL, ERROR("NoSuchKey") });
	GOOGLE(other, { "206 Partial Content",
			"ETag: \"e1\"\nx-goog-generation: 2\n"
			"Content-Range: bytes 2-5/10\n", "2345" });
	GOOGLE(by_etag, { PART, "2345" });
	GOOGLE(odd, { "206 Partial Content",
		      "ETag: \"e1\"\nx-goog-generation: 12\"3\n"
		      "Content-Range: bytes 2-5/10\n", "2345" });
	int r = scene_get(&good, 2, 4, "1732156539000123", 10);

	check_scene(&good, r, 0, 1, "a range of a generation");
	check(asked(&good, 0, "GET /bkt/p/k?generation=1732156539000123 ") &&
		      asked(&good, 0, "!if-match") &&
		      !strcmp(object_validator(&good.info), "1732156539000123") &&
		      object_is(&good.info, "e1"),
	      "... is asked for by it, which is the validator");
	scene_end(&good);
	r = scene_get(&gone, 2, 4, "17", 10);
	check_scene(&gone, r, -ESTALE, 1, "a generation that is gone");
	scene_end(&gone);
	r = scene_get(&other, 2, 4, "1", 10);
	check_scene(&other, r, -ESTALE, 1, "a store that sends another one");
	scene_end(&other);
	r = scene_get(&by_etag, 2, 4, "e1", 10);
	check(r == 0 && asked(&by_etag, 0, "if-match: \"e1\"") &&
		      asked(&by_etag, 0, "!generation="),
	      "an ETag, as a manifest has it, pins a range too");
	scene_end(&by_etag);
	r = scene_get(&odd, 2, 4, NULL, 10);
	check(r == 0 && !odd.info.generation[0] &&
		      !strcmp(object_validator(&odd.info), "e1"),
	      "a generation that is no number is none");
	scene_end(&odd);
}

static void conditional_writes(void)
{
	GOOGLE(made, { "200 OK", GENERATION, NULL });
	GOOGLE(lost, { "412 Precondition Failed", NULL,
		       ERROR("PreconditionFailed") });
	GOOGLE(next, { "200 OK", GENERATION, NULL });
	GOOGLE(stale, { "412 Precondition Failed", NULL,
			ERROR("PreconditionFailed") });
	GOOGLE(none, { "200 OK", GENERATION, NULL });
	int r = put(&made, true, NULL);

	check_scene(&made, r, 0, 1, "a key that must be new");
	check(asked(&made, 0, "x-goog-if-generation-match: 0") &&
		      asked(&made, 0, ";x-goog-if-generation-match,") &&
		      asked(&made, 0, "!if-none-match") &&
		      !strcmp(made.info.generation, "1732156539000123"),
	      "... is asked for by generation 0, signed");
	scene_end(&made);
	r = put(&lost, true, NULL);
	check_scene(&lost, r, -EEXIST, 1, "... and is not");
	scene_end(&lost);
	r = put(&next, false, "41");
	check(r == 0 && asked(&next, 0, "x-goog-if-generation-match: 41") &&
		      asked(&next, 0, "!\nif-match"),
	      "a generation is replaced");
	scene_end(&next);
	r = put(&stale, false, "41");
	check_scene(&stale, r, -ESTALE, 1, "... unless there is another one");
	err_clear(&stale.err);
	r = backend_sync_delete(stale.b, "k", "41", soon(), &stale.err);
	check(r == -ESTALE && asked(&stale, 1, "DELETE /bkt/p/k ") &&
		      asked(&stale, 1, "x-goog-if-generation-match: 41"),
	      "... nor is another one deleted");
	scene_end(&stale);

	r = put(&none, false, "an-etag");
	check_scene(&none, r, -ENOTSUP, 0,
		    "an ETag, which writes ignore, is not sent");
	r = backend_sync_delete(none.b, "k", "an-etag", soon(), &none.err);
	check_scene(&none, r, -ENOTSUP, 0, "... with a deletion neither");
	scene_end(&none);
}

#define REFUSED                                                                \
	{ "412 Precondition Failed", NULL, ERROR("PreconditionFailed") }
#define PUT_OK { "200 OK", GENERATION, NULL }

static void probed(void)
{
	GOOGLE(sc, PUT_OK, REFUSED, PUT_OK, REFUSED, PUT_OK,
	       { "200 OK", NULL,
		 "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
		 "</InitiateMultipartUploadResult>" },
	       PUT_OK, { "204 No Content", NULL, NULL }, REFUSED,
	       { "204 No Content", NULL, NULL },
	       { "404 Not Found", .is_head = true }, PUT_OK,
	       { "204 No Content", NULL, NULL });
	const struct backend_caps *caps = backend_caps(sc.b);
	int r = backend_probe(sc.b, soon(), &sc.err);

	check_scene(&sc, r, 0, 13, "a probe of conditions by generation");
	check(caps->create_only && caps->if_match && caps->delete_if_match &&
		      !caps->if_match_unquoted && !caps->complete_create_only,
	      "... finds all but those of a completed upload");
	check(asked(&sc, 3, "x-goog-if-generation-match: 1\r\n") &&
		      asked(&sc, 4, "x-goog-if-generation-match: "
				    "1732156539000123\r\n"),
	      "... asks with a generation that nothing has, and the one there");
	check(asked(&sc, 7, "DELETE ") && asked(&sc, 7, "uploadId=u"),
	      "... and gives up the upload that it could not complete");
	scene_end(&sc);
}

static void encodings(void)
{
	static const struct {
		const char *name;
		const char *status;
		const char *headers;
		int want;
	} cases[] = {
		{ "a range of a gzip object is of its stored bytes",
		  "206 Partial Content",
		  "x-goog-stored-content-encoding: gzip\n"
		  "Content-Encoding: gzip\nContent-Range: bytes 2-5/10\n", 0 },
		{ "a range of a plain one", "206 Partial Content",
		  "x-goog-stored-content-encoding: identity\n"
		  "Content-Range: bytes 2-5/10\n", 0 },
		{ "gzip undone on the way is refused", "206 Partial Content",
		  "x-goog-stored-content-encoding: gzip\n"
		  "Content-Range: bytes 2-5/10\n", -EBADMSG },
		{ "... where the range is ignored too", "200 OK",
		  "x-goog-stored-content-encoding: gzip\n"
		  "Warning: 214 UploadServer gunzipped\n", -EBADMSG },
		{ "a plain object packed on the way is refused",
		  "206 Partial Content",
		  "x-goog-stored-content-encoding: identity\n"
		  "Content-Encoding: gzip\nContent-Range: bytes 2-5/10\n",
		  -EBADMSG },
		{ "an encoding that nobody asked for is refused",
		  "206 Partial Content",
		  "Content-Encoding: br\nContent-Range: bytes 2-5/10\n",
		  -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct script_step step = { cases[i].status,
						  cases[i].headers, "2345" };
		struct scene sc;
		int r;

		scene_begin(&sc, "gs://bkt/p", google_creds, &step, 1);
		r = scene_get(&sc, 2, 4, NULL, 10);
		check_scene(&sc, r, cases[i].want, 1, cases[i].name);
		scene_end(&sc);
	}
}

static void whole_objects(void)
{
	GOOGLE(sc, { "200 OK", "x-goog-stored-content-encoding: gzip\n",
		     "plain text" });
	struct buf out = BUF_INIT;
	int r = backend_sync_get_all(sc.b, "k", 100, &out, &sc.info, soon(),
				     &sc.err);

	check_scene(&sc, r, -EBADMSG, 1,
		    "a whole object whose gzip was undone is refused");
	check(out.len == 0, "... and nothing of it is kept");
	buf_release(&out);
	scene_end(&sc);
}

static int add_validator(void *arg, const struct list_entry *entry,
			 struct err *err)
{
	(void)err;
	buf_printf(arg, "%s=%s\n", entry->key, object_validator(&entry->info));
	return 0;
}

static void lists(void)
{
	static const struct script_step page = {
		"200 OK", NULL,
		"<ListBucketResult><Contents><Key>p/a</Key>"
		"<Generation>17</Generation><MetaGeneration>1</MetaGeneration>"
		"<ETag>\"e\"</ETag><Size>1</Size></Contents>"
		"<Contents><Key>p/b</Key><Generation>-1</Generation>"
		"<Size>1</Size></Contents></ListBucketResult>"
	};
	static const char *const uris[] = { "gs://bkt/p", "s3://bkt/p" };
	static const char *const want[] = { "a=17\nb=\n", "a=e\nb=\n" };

	for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
		struct buf seen = BUF_INIT;
		struct scene sc;
		int r;

		scene_begin(&sc, uris[i], google_creds, &page, 1);
		r = backend_sync_list(sc.b, "", NULL, DEADLINE_MS,
				      add_validator, &seen, &sc.err);
		check(r == 0 && !strcmp(seen.data, want[i]),
		      "%s: the validators of a list", uris[i]);
		buf_release(&seen);
		scene_end(&sc);
	}
}

void scripted_google(void)
{
	struct err err = ERR_INIT;

	must(cred_source_static(&google_creds, "google", GOOGLE_KEY,
				SECRET_KEY, NULL, &err),
	     &err, "credential");
	dialects();
	in_case(20);
	pinned_reads();
	in_case(28);
	conditional_writes();
	in_case(27);
	probed();
	in_case(22);
	encodings();
	whole_objects();
	in_case(0);
	lists();
	cred_source_put_ref(google_creds);
}
