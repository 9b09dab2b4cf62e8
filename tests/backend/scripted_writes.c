/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/scripted.h"

#define ERROR(code) "<Error><Code>" code "</Code></Error>"
#define COMPLETED(etag)                                                        \
	"<CompleteMultipartUploadResult><ETag>\"" etag                         \
	"\"</ETag></CompleteMultipartUploadResult>"
#define CREATED                                                                \
	"<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId>"          \
	"</InitiateMultipartUploadResult>"

/* MD5 of "a", and the etag of an upload of that one part. */
#define PART_MD5 "0cc175b9c0f1b6a831c399e269772661"
#define UPLOAD_ETAG "b6ff9a06b7e20bcb2858c5b8ff744aea-1"

static int complete(struct scene *sc)
{
	const struct part_etag part = { .number = 1, .etag = PART_MD5 };

	return backend_sync_multipart_complete(sc->b, "k", "u&1", &part, 1,
					       false, &sc->info, soon(),
					       &sc->err);
}

static void completions(void)
{
	SCENE(good, { "200 OK", NULL, "\n  " COMPLETED("e-1") });
	SCENE(late, { "200 OK", NULL, "\n \n" ERROR("InternalError") },
	      { "200 OK", NULL, COMPLETED("e-1") });
	SCENE(denied, { "200 OK", NULL, ERROR("AccessDenied") });
	SCENE(part, { "400 Bad Request", NULL, ERROR("InvalidPart") });
	SCENE(empty, { "200 OK", NULL, "  " });
	int r = complete(&good);

	check_scene(&good, r, 0, 1, "a completed upload");
	check(!strcmp(good.info.etag, "e-1") &&
		      asked(&good, 0, "uploadId=u%261") &&
		      asked(&good, 0,
			    "<PartNumber>1</PartNumber><ETag>&quot;" PART_MD5
			    "&quot;</ETag>"),
	      "... of its parts, has an etag");
	scene_end(&good);
	r = complete(&late);
	check_scene(&late, r, 0, 2, "... that fails under a 200 at first");
	scene_end(&late);
	r = complete(&denied);
	check_scene(&denied, r, -EACCES, 1, "... or for good");
	scene_end(&denied);
	r = complete(&part);
	check_scene(&part, r, -EINVAL, 1, "a part that is not there");
	scene_end(&part);
	r = complete(&empty);
	check_scene(&empty, r, -EBADMSG, 3, "white space is no success");
	scene_end(&empty);
}

/* The first try had won, and its answer was lost. */
static void lost_completions(void)
{
	SCENE(won, { NULL },
	      { "404 Not Found", NULL, ERROR("NoSuchUpload") },
	      { "200 OK", "ETag: \"" UPLOAD_ETAG "\"\nContent-Length: 1\n",
		.is_head = true });
	SCENE(other, { NULL },
	      { "404 Not Found", NULL, ERROR("NoSuchUpload") },
	      { "200 OK", "ETag: \"other-1\"\nContent-Length: 1\n",
		.is_head = true });
	SCENE(none, { NULL },
	      { "404 Not Found", NULL, ERROR("NoSuchUpload") },
	      { "404 Not Found", NULL, NULL });
	SCENE(unknown, { "404 Not Found", NULL, ERROR("NoSuchUpload") });
	int r = complete(&won);

	check_scene(&won, r, 0, 3, "a completion whose answer was lost");
	check(!strcmp(won.info.etag, UPLOAD_ETAG) &&
		      asked(&won, 2, "HEAD /bkt/p/k "),
	      "... is found by the etag of its parts");
	scene_end(&won);
	r = complete(&other);
	check_scene(&other, r, -ENOENT, 3, "... and another object is not it");
	scene_end(&other);
	r = complete(&none);
	check_scene(&none, r, -ENOENT, 3, "... nor is none");
	scene_end(&none);
	r = complete(&unknown);
	check_scene(&unknown, r, -ENOENT, 1, "an upload that never was");
	scene_end(&unknown);
}

static int put(struct scene *sc, bool create_only, const char *if_match)
{
	const struct backend_put rq = {
		.key = "k",
		.data = "a",
		.len = 1,
		.create_only = create_only,
		.if_match = if_match,
		.deadline_ms = soon(),
	};

	err_clear(&sc->err);
	return backend_sync_put(sc->b, &rq, &sc->info, &sc->err);
}

static void puts_(void)
{
	SCENE(met, { "409 Conflict", NULL, ERROR("ConditionalRequestConflict") },
	      { "200 OK", "ETag: \"e\"\n", NULL });
	SCENE(lost, { NULL },
	      { "412 Precondition Failed", NULL, ERROR("PreconditionFailed") });
	SCENE(digest, { "400 Bad Request", NULL, ERROR("BadDigest") },
	      { "200 OK", "ETag: \"e\"\n", NULL });
	SCENE(unknown, { "501 Not Implemented", NULL, ERROR("NotImplemented") });
	int r = put(&met, true, NULL);

	check_scene(&met, r, 0, 2, "writers that met: sent again");
	check(asked(&met, 0, "if-none-match: *") &&
		      asked(&met, 0, "content-md5: DMF1ucDxtqgxw5niaXcmYQ==") &&
		      asked(&met, 1, "if-none-match: *"),
	      "... under its condition, with its digest");
	scene_end(&met);
	r = put(&lost, true, NULL);
	check_scene(&lost, r, -EEXIST, 2,
		    "an answer that was lost: the caller looks");
	scene_end(&lost);
	r = put(&digest, false, NULL);
	check_scene(&digest, r, 0, 2, "damaged on its way: sent again");
	scene_end(&digest);
	r = put(&unknown, false, "e");
	check_scene(&unknown, r, -ENOTSUP, 1, "a condition that is unknown");
	scene_end(&unknown);
}

static void parts(void)
{
	SCENE(create, { "200 OK", NULL, CREATED });
	SCENE(bad, { "200 OK", NULL,
		     "<InitiateMultipartUploadResult/>" });
	SCENE(part, { "200 OK", "ETag: \"" PART_MD5 "\"\n", NULL });
	SCENE(nameless, { "200 OK", NULL, NULL });
	char id[BACKEND_UPLOAD_ID_MAX];
	struct part_etag etag = { .number = 7 };
	int r;

	r = backend_sync_multipart_create(create.b, "k", id, soon(),
					  &create.err);
	check_scene(&create, r, 0, 1, "an upload");
	check(!strcmp(id, "u&1") && asked(&create, 0, "POST /bkt/p/k?uploads="),
	      "... has an id");
	scene_end(&create);
	r = backend_sync_multipart_create(bad.b, "k", id, soon(), &bad.err);
	check_scene(&bad, r, -EBADMSG, 3, "... or is none");
	scene_end(&bad);
	r = backend_sync_multipart_put(part.b, "k", "u&1", &etag, "a", 1,
				       soon(), &part.err);
	check_scene(&part, r, 0, 1, "a part");
	check(!strcmp(etag.etag, PART_MD5) &&
		      asked(&part, 0, "partNumber=7&uploadId=u%261"),
	      "... has an etag");
	scene_end(&part);
	r = backend_sync_multipart_put(nameless.b, "k", "u&1", &etag, "a", 1,
				       soon(), &nameless.err);
	check_scene(&nameless, r, -EBADMSG, 3, "... or is none");
	scene_end(&nameless);
	etag.number = 10001;
	SCENE(many, { "200 OK", NULL, NULL });
	r = backend_sync_multipart_put(many.b, "k", "u&1", &etag, "a", 1,
				       soon(), &many.err);
	check_scene(&many, r, -EINVAL, 0, "more parts than there can be");
	scene_end(&many);
}

#define PUT_OK { "200 OK", "ETag: \"e\"\n", NULL }
#define REFUSED                                                                \
	{                                                                      \
		"412 Precondition Failed", NULL, ERROR("PreconditionFailed")   \
	}
#define DELETED { "204 No Content", NULL, NULL }
#define NOT_FOUND { "404 Not Found", NULL, NULL }

static void probes(void)
{
	/* As AWS answers: everything is honoured, etags have quotes. */
	SCENE(strict, PUT_OK, REFUSED, PUT_OK, REFUSED, PUT_OK,
	      { "200 OK", NULL, CREATED }, PUT_OK, REFUSED, DELETED, REFUSED,
	      DELETED, NOT_FOUND,
	      { "400 Bad Request", NULL, ERROR("BadDigest") }, DELETED);
	/* Everything is done, whatever was asked. */
	SCENE(deaf, PUT_OK, PUT_OK, PUT_OK, PUT_OK, PUT_OK,
	      { "200 OK", NULL, CREATED }, PUT_OK,
	      { "200 OK", NULL, COMPLETED("e-1") }, DELETED);
	SCENE(broken, { "403 Forbidden", NULL, ERROR("AccessDenied") });
	const struct backend_caps *caps = backend_caps(strict.b);
	int r = backend_probe(strict.b, soon(), &strict.err);

	check_scene(&strict, r, 0, 14, "a store that honours all conditions");
	check(caps->probed && caps->create_only && caps->if_match &&
		      !caps->if_match_unquoted && caps->delete_if_match &&
		      caps->complete_create_only && caps->checks_md5,
	      "... is found to");
	check(asked(&strict, 4, "if-match: \"e\"") &&
		      asked(&strict, 7, "if-none-match: *"),
	      "... with quotes around its etags");
	scene_end(&strict);

	caps = backend_caps(deaf.b);
	r = backend_probe(deaf.b, soon(), &deaf.err);
	check(r == 0 && caps->probed && !caps->create_only &&
		      !caps->if_match && !caps->delete_if_match &&
		      !caps->complete_create_only && !caps->checks_md5,
	      "a store that ignores them is found to: %s", deaf.err.text);
	r = put(&deaf, true, NULL);
	check(r == -ENOTSUP, "... and never asked to hold one: %s",
	      deaf.err.text);
	r = put(&deaf, false, "e");
	check(r == -ENOTSUP, "... of either kind");
	scene_end(&deaf);

	r = backend_probe(broken.b, soon(), &broken.err);
	check(r == -EACCES && !backend_caps(broken.b)->probed,
	      "a refusal is no finding: %s", broken.err.text);
	scene_end(&broken);
}

/* Each request has what the bucket wants, writes their key too; all signed. */
static void options(void)
{
	static const struct backend_s3_options all = {
		.requester_pays = true,
		.expected_owner = "123456789012",
		.sse_kms_key = "alias/datasets",
	};
	static const char payer[] = "x-amz-request-payer: requester\r\n";
	static const char owner[] =
		"x-amz-expected-bucket-owner: 123456789012\r\n";
	static const char sse[] = "x-amz-server-side-encryption: aws:kms\r\n";
	static const char key[] =
		"x-amz-server-side-encryption-aws-kms-key-id: alias/datasets\r\n";
	SCENE(sc, { "200 OK", "ETag: \"e\"\r\n", NULL }, { "200 OK", NULL, CREATED },
	      { "200 OK", "ETag: \"e\"\r\nContent-Length: 1\r\n", NULL },
	      { "204 No Content", NULL, NULL });
	char upload[BACKEND_UPLOAD_ID_MAX];
	int r;

	scene_options(&sc, &all);
	r = put(&sc, false, NULL);
	check(r == 0 && asked(&sc, 0, payer) && asked(&sc, 0, owner) &&
		      asked(&sc, 0, sse) && asked(&sc, 0, key),
	      "a put has payer, owner and key: %s", sc.err.text);
	check(asked(&sc, 0, ";x-amz-expected-bucket-owner;x-amz-request-payer;"
			    "x-amz-server-side-encryption;x-amz-server-side-"
			    "encryption-aws-kms-key-id, "),
	      "... and signs them");
	r = backend_sync_multipart_create(sc.b, "k", upload, soon(), &sc.err);
	check(r == 0 && asked(&sc, 1, payer) && asked(&sc, 1, owner) &&
		      asked(&sc, 1, sse) && asked(&sc, 1, key),
	      "... so has an upload: %s", sc.err.text);
	r = backend_sync_head(sc.b, "k", &sc.info, soon(), &sc.err);
	check(r == 0 && asked(&sc, 2, payer) && asked(&sc, 2, owner) &&
		      asked(&sc, 2, "!server-side-encryption"),
	      "... a read has no key: %s", sc.err.text);
	r = backend_sync_delete(sc.b, "k", NULL, soon(), &sc.err);
	check(r == 0 && asked(&sc, 3, payer) && asked(&sc, 3, owner) &&
		      asked(&sc, 3, "!server-side-encryption"),
	      "... nor a delete: %s", sc.err.text);
	scene_end(&sc);
}

void scripted_writes(void)
{
	in_case(30);
	completions();
	in_case(29);
	lost_completions();
	puts_();
	in_case(26);
	parts();
	in_case(27);
	probes();
	in_case(0);
	options();
}
