/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's service: what is sent, and what it answers only on bad days.  What
 * holds of every answer (ranges, sizes, broken bodies) is scripted_reads.c's.
 */
#include <config.h>
#include "tests/backend/scripted.h"

#define KEY_BASE64 "dGhlLWFjY291bnQta2V5"
#define SAS "sv=2020-12-06&sp=r&sig=a%2Bb%3D"
#define PART                                                                   \
	"206 Partial Content", "ETag: \"0x8D1\"\nContent-Range: bytes 2-5/10\n"
#define CODE(code) "x-ms-error-code: " code "\n"
#define URI "azure://acct/cont/p"

static struct cred_source *key_creds, *sas_creds;

#define AZURE_AS(sc, creds, ...)                                               \
	static const struct script_step steps_##sc[] = { __VA_ARGS__ };        \
	struct scene sc;                                                       \
	scene_begin(&sc, URI, creds, steps_##sc, ARRAY_SIZE(steps_##sc))
#define AZURE(sc, ...) AZURE_AS(sc, key_creds, __VA_ARGS__)

static int put(struct scene *sc, bool create_only, const char *if_match)
{
	return put_text(sc->b, "k", "v", create_only, if_match, &sc->info);
}

static int head(struct scene *sc)
{
	err_clear(&sc->err);
	return backend_sync_head(sc->b, "k", &sc->info, soon(), &sc->err);
}

static void reads(void)
{
	AZURE(ok, { PART, "2345" });
	AZURE(whole, { "200 OK", "ETag: \"0x8D1\"\n", "0123456789" });
	AZURE(stale, { "412 Precondition", CODE("ConditionNotMet") });
	AZURE(none, { "404 Not Found", CODE("BlobNotFound") });
	AZURE(empty, { "416 No", CODE("InvalidRange") });
	int r = scene_get(&ok, 2, 4, "0x8D1", 10);

	check_scene(&ok, r, 0, 1, "azure: a range");
	check(asked(&ok, 0, "GET /cont/p/k HTTP") &&
		      asked(&ok, 0, "\r\nx-ms-range: bytes=2-5\r\n") &&
		      asked(&ok, 0, "\r\nif-match: \"0x8D1\"\r\n") &&
		      asked(&ok, 0, "\r\nx-ms-version: 2023-11-03\r\n") &&
		      asked(&ok, 0, "\r\nauthorization: SharedKey acct:") &&
		      asked(&ok, 0, "!\r\nrange:"),
	      "... pinned, signed, by x-ms-range alone");
	check(!strcmp(ok.info.etag, "0x8D1"), "... and its etag is told");
	r = scene_get(&whole, 2, 4, NULL, 10);
	check_scene(&whole, r, -EBADMSG, 1, "azure: all in place of a range");
	r = scene_get(&stale, 2, 4, "0x8D1", 10);
	check_scene(&stale, r, -ESTALE, 1, "azure: a changed blob");
	r = scene_get(&none, 2, 4, NULL, 10);
	check_scene(&none, r, -ENOENT, 1, "azure: a missing blob");
	check(strstr(none.err.text, "404 BlobNotFound") != NULL,
	      "... is told from a missing container: %s", none.err.text);
	r = scene_get(&empty, 0, 1, NULL, BACKEND_SIZE_UNKNOWN);
	check_scene(&empty, r, -EBADMSG, 1, "azure: a range of no bytes");
	scene_end(&ok);
	scene_end(&whole);
	scene_end(&stale);
	scene_end(&none);
	scene_end(&empty);
}

static void directories(void)
{
	AZURE(hns, { "200 OK", "x-ms-resource-type: directory\n", NULL, 0,
		     false, true });
	AZURE(hadoop, { "200 OK", "x-ms-meta-hdi_isfolder: true\n", "" });
	AZURE(file, { "200 OK", "x-ms-resource-type: file\nETag: \"e\"\n",
		      "x" });
	struct buf out = BUF_INIT;
	int r = head(&hns);

	check_scene(&hns, r, -ENOENT, 1, "azure: a directory has no head");
	check(strstr(hns.err.text, "directory") != NULL, "... and is named: %s",
	      hns.err.text);
	r = backend_sync_get_all(hadoop.b, "k", 10, &out, &hadoop.info, soon(),
				 &hadoop.err);
	check_scene(&hadoop, r, -ENOENT, 1,
		    "azure: a directory of Hadoop's has no content");
	r = backend_sync_get_all(file.b, "k", 10, &out, &file.info, soon(),
				 &file.err);
	check_scene(&file, r, 0, 1, "azure: a file has");
	buf_release(&out);
	scene_end(&hns);
	scene_end(&hadoop);
	scene_end(&file);
}

static void proofs(void)
{
	struct cred_source *bearer = NULL, *nobody = NULL;
	const struct cred token = {
		.kind = CRED_BEARER,
		.token = (char *)(uintptr_t) "the-token",
		.expires_s = INT64_MAX,
	};
	struct err err = ERR_INIT;
	int r;

	must(cred_source_fixed(&bearer, "test", &token, &err), &err, "cred");
	must(cred_source_anonymous(&nobody, &err), &err, "cred");
	AZURE_AS(by_sas, sas_creds, { PART, "2345" });
	AZURE_AS(by_token, bearer, { PART, "2345" });
	AZURE_AS(unsigned_, nobody, { PART, "2345" });
	AZURE_AS(hidden, nobody, { "404 Not Found", CODE("ResourceNotFound") });
	AZURE_AS(foreign, NULL, { PART, "2345" });
	AZURE_AS(refused, sas_creds,
		 { "403 No", CODE("AuthorizationFailure"),
		   "<Error><Code>AuthorizationFailure</Code>"
		   "<AuthenticationErrorDetail>sig=a%2Bb%3D"
		   "</AuthenticationErrorDetail></Error>" });

	r = scene_get(&by_sas, 2, 4, NULL, 10);
	check_scene(&by_sas, r, 0, 1, "azure: with a SAS");
	check(asked(&by_sas, 0, "GET /cont/p/k?" SAS " HTTP") &&
		      asked(&by_sas, 0, "!authorization"),
	      "... which is sent as it is");
	r = scene_get(&by_token, 2, 4, NULL, 10);
	check_scene(&by_token, r, 0, 1, "azure: with a token");
	check(asked(&by_token, 0, "\r\nauthorization: Bearer the-token\r\n"),
	      "... as a bearer");
	r = scene_get(&unsigned_, 2, 4, NULL, 10);
	check_scene(&unsigned_, r, 0, 1, "azure: unsigned");
	check(asked(&unsigned_, 0, "!authorization") &&
		      asked(&unsigned_, 0, "x-ms-version"),
	      "... is not signed");
	r = scene_get(&hidden, 2, 4, NULL, 10);
	check_scene(&hidden, r, -EACCES, 1,
		    "azure: what is private hides, and is no missing blob");
	r = scene_get(&foreign, 2, 4, NULL, 10);
	check_scene(&foreign, r, -EACCES, 0,
		    "azure: a key of Amazon's form is not sent");
	r = scene_get(&refused, 2, 4, NULL, 10);
	check(r == -EACCES && !strstr(refused.err.text, "sig"),
	      "azure: a refusal holds nothing of the SAS: %s",
	      refused.err.text);
	scene_end(&by_sas);
	scene_end(&by_token);
	scene_end(&unsigned_);
	scene_end(&hidden);
	scene_end(&foreign);
	scene_end(&refused);
	cred_source_put_ref(bearer);
	cred_source_put_ref(nobody);
}

static void lists(void)
{
#define PAGE(blobs, marker)                                                    \
	"200 OK", NULL,                                                        \
		"\xef\xbb\xbf<EnumerationResults><Blobs>" blobs               \
		"</Blobs><NextMarker>" marker "</NextMarker>"                  \
		"</EnumerationResults>"
#define BLOB(name) "<Blob><Name>p/" name "</Name></Blob>"
	AZURE(pages, { PAGE(BLOB("a"), "m+1/=") }, { PAGE("", "m2") },
	      { PAGE(BLOB("b c"), "") });
	AZURE(repeated, { PAGE(BLOB("a"), "m") });
	AZURE(outside, { PAGE("<Blob><Name>q/x</Name></Blob>", "") });
	AZURE(none, { "404 Not Found", CODE("ContainerNotFound") });
	AZURE(inside, { "200 OK", NULL,
			"<Error><Code>ServerBusy</Code></Error>" },
	      { PAGE(BLOB("a"), "") });
	struct buf keys = BUF_INIT;
	int r = list_keys(pages.b, "", "/", &keys, &pages.err);

	check_scene(&pages, r, 0, 3, "azure: pages, one of them empty");
	check(!strcmp(keys.data, "a\nb c\n"), "... all of it: %s", keys.data);
	check(asked(&pages, 0, "GET /cont?restype=container&comp=list&"
			       "include=metadata&prefix=p%2F&delimiter=%2F "
			       "HTTP") &&
		      asked(&pages, 1, "&marker=m%2B1%2F%3D ") &&
		      asked(&pages, 2, "&marker=m2 "),
	      "... by their markers");
	r = list_keys(repeated.b, "", NULL, &keys, &repeated.err);
	check(r == -EBADMSG, "azure: a repeated marker ends it");
	r = list_keys(outside.b, "", NULL, &keys, &outside.err);
	check(r == -EBADMSG, "azure: a key outside of the prefix");
	r = list_keys(none.b, "", NULL, &keys, &none.err);
	check_scene(&none, r, -ENOENT, 1, "azure: a missing container");
	check(strstr(none.err.text, "no such bucket") != NULL,
	      "... is told from a missing blob: %s", none.err.text);
	r = list_keys(inside.b, "", NULL, &keys, &inside.err);
	check_scene(&inside, r, 0, 2, "azure: an error under a 200");
	buf_release(&keys);
	scene_end(&pages);
	scene_end(&repeated);
	scene_end(&outside);
	scene_end(&none);
	scene_end(&inside);
}

static void writes(void)
{
	AZURE(fresh, { "201 Created", "ETag: \"0x8D1\"\n", NULL });
	AZURE(taken, { "409 Conflict", CODE("BlobAlreadyExists") });
	AZURE(stale, { "412 No", CODE("ConditionNotMet") });
	AZURE(leased, { "412 No", CODE("LeaseIdMissing") });
	AZURE(gone, { "412 No", CODE("ConditionNotMet") },
	      { "404 Not Found", CODE("BlobNotFound"), NULL, 0, false, true });
	AZURE(kept, { "412 No", CODE("ConditionNotMet") },
	      { "200 OK", "ETag: \"0x8D2\"\n", NULL, 0, false, true });
	int r = put(&fresh, true, NULL);

	check_scene(&fresh, r, 0, 1, "azure: a blob that is new");
	check(asked(&fresh, 0, "PUT /cont/p/k HTTP") &&
		      asked(&fresh, 0, "\r\nx-ms-blob-type: BlockBlob\r\n") &&
		      asked(&fresh, 0, "\r\nif-none-match: *\r\n") &&
		      asked(&fresh, 0, "\r\ncontent-md5: "
				       "njZp0ZtnW9VwWP1GZCBdKg==\r\n"),
	      "... with its sum and its condition");
	check(put(&taken, true, NULL) == -EEXIST, "azure: one that is not");
	check(put(&stale, false, "0x8D1") == -ESTALE, "azure: a stale etag");
	check(put(&leased, false, "0x8D1") == -EBUSY,
	      "azure: a lease is no lost race");
	r = backend_sync_delete(gone.b, "k", "0x8D1", soon(), &gone.err);
	check_scene(&gone, r, 0, 2,
		    "azure: what is to be deleted and is gone");
	r = backend_sync_delete(kept.b, "k", "0x8D1", soon(), &kept.err);
	check_scene(&kept, r, -ESTALE, 2, "azure: ... or is another");
	scene_end(&fresh);
	scene_end(&taken);
	scene_end(&stale);
	scene_end(&leased);
	scene_end(&gone);
	scene_end(&kept);
}

static void uploads(void)
{
	AZURE(sc, { "201 Created" }, { "503 Busy", CODE("ServerBusy") },
	      { "201 Created" }, { "201 Created", "ETag: \"0x8D3\"\n" });
	struct part_etag parts[2] = { { .number = 1 }, { .number = 2 } };
	char id[BACKEND_UPLOAD_ID_MAX], body[1024], target[128];
	int r = backend_sync_multipart_create(sc.b, "k", id, soon(), &sc.err);

	for (size_t i = 0; i < 2 && r == 0; i++)
		r = backend_sync_multipart_put(sc.b, "k", id, &parts[i], "v", 1,
					       soon(), &sc.err);
	if (r == 0)
		r = backend_sync_multipart_complete(sc.b, "k", id, parts, 2,
						    false, &sc.info, soon(),
						    &sc.err);
	check_scene(&sc, r, 0, 4, "azure: an upload of two blocks");
	(void)snprintf(target, sizeof(target),
		       "PUT /cont/p/k?comp=block&blockid=%.30s",
		       parts[0].etag);
	(void)snprintf(body, sizeof(body),
		       "<BlockList><Latest>%s</Latest><Latest>%s</Latest>"
		       "</BlockList>", parts[0].etag, parts[1].etag);
	check(strlen(parts[0].etag) == strlen(parts[1].etag) &&
		      asked(&sc, 0, target) && asked(&sc, 3, body) &&
		      asked(&sc, 3, "PUT /cont/p/k?comp=blocklist HTTP"),
	      "... and the list of them");
	check(!strcmp(sc.info.etag, "0x8D3"), "... has an etag");
	r = backend_sync_multipart_put(sc.b, "k", "no-such-upload", &parts[0],
				       "v", 1, soon(), &sc.err);
	check_scene(&sc, r, -EINVAL, 4, "azure: another store's upload");
	r = backend_sync_multipart_abort(sc.b, "k", id, soon(), &sc.err);
	check_scene(&sc, r, 0, 4, "azure: giving up asks nobody");
	scene_end(&sc);
}

static void repairs(void)
{
	AZURE(clock, { "403 No", CODE("AuthenticationFailed")
				 "Date: Sun, 06 Nov 2044 08:49:37 GMT\n" },
	      { PART, "2345" });
	AZURE(wrong, { "403 No", CODE("AuthenticationFailed") });
	AZURE(busy, { "503 Busy", CODE("ServerBusy") },
	      { "500 Oops", CODE("OperationTimedOut") }, { NULL },
	      { PART, "2345" });
	AZURE(moved, { "302 Found", "Location: http://evil.example/\n" });
	int r = scene_get(&clock, 2, 4, NULL, 10);

	check_scene(&clock, r, 0, 2, "azure: another clock is taken");
	check(asked(&clock, 1, "x-ms-date: Sun, 06 Nov 2044 08:49:3"),
	      "... from the Date of the refusal");
	r = scene_get(&wrong, 2, 4, NULL, 10);
	check_scene(&wrong, r, -EACCES, 1, "azure: a wrong key is no clock");
	check(!strstr(wrong.err.text, KEY_BASE64), "... and not told: %s",
	      wrong.err.text);
	r = scene_get(&busy, 2, 4, NULL, 10);
	check_scene(&busy, r, 0, 4, "azure: trouble passes");
	r = scene_get(&moved, 2, 4, NULL, 10);
	check_scene(&moved, r, -EIO, 1, "azure: a redirect is not followed");
	scene_end(&clock);
	scene_end(&wrong);
	scene_end(&busy);
	scene_end(&moved);
}

void scripted_azure(void)
{
	key_creds = azure_creds(URI, "AccountName=acct;AccountKey=" KEY_BASE64);
	sas_creds = azure_creds(URI, "SharedAccessSignature=" SAS);
	reads();
	directories();
	proofs();
	lists();
	writes();
	uploads();
	repairs();
	cred_source_put_ref(key_creds);
	cred_source_put_ref(sas_creds);
}
