/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/conformance.h"

static void conditions(struct subject *s)
{
	struct object_info first, second, info;
	struct err err = ERR_INIT;
	char *text;

	in_case(27);
	check_r(put_text(s->b, "c/new", "1", true, NULL, &first), 0, &err,
		"a key that is new");
	check_r(put_text(s->b, "c/new", "2", true, NULL, &info), -EEXIST, &err,
		"a key that is not");
	text = get_text(s->b, "c/new", &info);
	check(!strcmp(text, "1"), "... keeps its content");
	free(text);

	in_case(28);
	check_r(put_text(s->b, "c/new", "3", false,
			 object_validator(&first), &second), 0,
		&err, "replaced under its validator");
	check(strcmp(object_validator(&first), object_validator(&second)) != 0,
	      "... has another one");
	check_r(put_text(s->b, "c/new", "4", false,
			 object_validator(&first), &info),
		-ESTALE, &err, "replaced under a stale validator");
	check_r(put_text(s->b, "c/none", "5", false,
			 object_validator(&first), &info),
		-ESTALE, &err, "replaced where nothing is");
	text = get_text(s->b, "c/new", &info);
	check(!strcmp(text, "3") && object_is(&info, object_validator(&second)),
	      "a refused put changes nothing");
	free(text);
	check(backend_sync_head(s->b, "c/none", &info, soon(), &err) == -ENOENT,
	      "... and makes nothing");
	in_case(0);
}

static void deletion(struct subject *s)
{
	struct object_info first, second, info;
	struct err err = ERR_INIT;
	int r;

	must(put_text(s->b, "d", "1", false, NULL, &first), &err, "put");
	must(put_text(s->b, "d", "2", false, NULL, &second), &err, "put");
	in_case(28);
	r = backend_sync_delete(s->b, "d", object_validator(&first), soon(),
				&err);
	if (!backend_caps(s->b)->delete_if_match) {
		check_r(r, -ENOTSUP, &err,
			"a condition on a deletion that the store ignores is "
			"refused");
		check(backend_sync_head(s->b, "d", &info, soon(), &err) == 0,
		      "... and nothing is deleted");
	} else {
		check_r(r, -ESTALE, &err, "deleted under a stale validator");
		r = backend_sync_delete(s->b, "d", object_validator(&second),
					soon(), &err);
		check_r(r, 0, &err, "deleted under its validator");
		r = backend_sync_delete(s->b, "d", object_validator(&second),
					soon(), &err);
		check(r == 0 || (r == -ESTALE && second.generation[0]),
		      "... and again: %s", err.text);
	}
	in_case(0);
	r = backend_sync_delete(s->b, "d", NULL, soon(), &err);
	check_r(r, 0, &err, "deleted whatever its validator");
	check(backend_sync_head(s->b, "d", &info, soon(), &err) == -ENOENT,
	      "... is gone");
}

static void probe(struct subject *s)
{
	const struct backend_caps *caps = backend_caps(s->b);
	struct buf left = BUF_INIT;
	struct err err = ERR_INIT;
	int r = backend_probe(s->b, soon(), &err);

	check_r(r, 0, &err, "a probe");
	printf("# create=%d upload=%d if_match=%d unquoted=%d delete=%d\n",
	       caps->create_only, caps->complete_create_only, caps->if_match,
	       caps->if_match_unquoted, caps->delete_if_match);
	check(caps->probed && caps->create_only == s->has_conditions &&
		      caps->if_match == s->has_conditions,
	      "... finds the conditions that a catalog needs, or none");
	r = list_keys(s->b, ".datasetfs/probe/", NULL, &left, &err);
	check(r == 0 && !left.len, "... and leaves nothing behind");
	check_r(backend_probe(s->b, 0, &err), 0, &err,
		"... and asks no second time");
	buf_release(&left);
}

/* Two parts, the second one first. */
static int upload(struct subject *s, const char *key, bool create_only,
		  const char *bytes, size_t first, size_t second,
		  struct object_info *info, struct err *err)
{
	struct part_etag parts[2] = { { .number = 1 }, { .number = 2 } };
	char id[BACKEND_UPLOAD_ID_MAX];
	int r;

	err_clear(err);
	r = backend_sync_multipart_create(s->b, key, id, soon(), err);
	if (r == 0)
		r = backend_sync_multipart_put(s->b, key, id, &parts[1],
					       bytes + first, second, soon(),
					       err);
	if (r == 0)
		r = backend_sync_multipart_put(s->b, key, id, &parts[0], bytes,
					       first, soon(), err);
	if (r == 0)
		r = backend_sync_multipart_complete(s->b, key, id, parts, 2,
						    create_only, info, soon(),
						    err);
	if (r < 0 && r != -ENOENT) {
		struct err ignored = ERR_INIT;

		(void)!backend_sync_multipart_abort(s->b, key, id, soon(),
						    &ignored);
	}
	return r;
}

#define PART_BYTES ((size_t)5 << 20)

static void uploads(struct subject *s)
{
	char *bytes = make_bytes(PART_BYTES + 3, 9);
	char *got = malloc(PART_BYTES + 3);
	struct object_info info, head;
	struct err err = ERR_INIT;
	int r;

	in_case(26);
	r = upload(s, "u", false, bytes, PART_BYTES, 3, &info, &err);
	check_r(r, 0, &err, "an upload of two parts");
	r = get_range(s->b, "u", got, 0, PART_BYTES + 3, NULL, PART_BYTES + 3,
		      &head, &err);
	check(r == 0 && !memcmp(got, bytes, PART_BYTES + 3),
	      "... reads as what was sent: %s", err.text);
	check(!info.etag[0] || !strcmp(info.etag, head.etag),
	      "... under the etag that was told");

	r = upload(s, "u", true, bytes, PART_BYTES, 3, &info, &err);
	in_case(27);
	if (s->has_conditions && backend_caps(s->b)->complete_create_only)
		check_r(r, -EEXIST, &err, "an upload over an object");
	else
		check_r(r, -ENOTSUP, &err,
			"a condition of an upload that the store ignores is "
			"refused");
	free(bytes);
	free(got);
}

/* What was given up is not known any more. */
static void gone(struct subject *s, const char *id, struct part_etag *part)
{
	struct object_info info;
	struct err err = ERR_INIT;
	int r;

	/* Ceph has no better word for it than 500. */
	r = backend_sync_multipart_complete(s->b, "up/gone", id, part, 1,
					    false, &info, clock_ms() + 1000,
					    &err);
	check(r == -ENOENT || (r == -EIO && err.class == ERR_RETRY),
	      "... and not completed after: %s", err.text);
	r = backend_sync_multipart_put(s->b, "up/gone", id, part, "x", 1,
				       soon(), &err);
	check_r(r, -ENOENT, &err, "... nor continued");
}

static void aborted(struct subject *s)
{
	struct part_etag part = { .number = 1 };
	char id[BACKEND_UPLOAD_ID_MAX];
	struct object_info info;
	struct err err = ERR_INIT;
	struct buf keys = BUF_INIT;
	int r;

	in_case(26);
	r = backend_sync_multipart_create(s->b, "up/gone", id, soon(), &err);
	must(r, &err, "create");
	r = backend_sync_multipart_put(s->b, "up/gone", id, &part, "x", 1,
				       soon(), &err);
	must(r, &err, "put a part");
	r = list_keys(s->b, "up/", NULL, &keys, &err);
	check(r == 0 && !keys.len, "an upload is no object before its end");
	r = backend_sync_multipart_abort(s->b, "up/gone", id, soon(), &err);
	check_r(r, 0, &err, "an upload can be given up");
	r = backend_sync_multipart_abort(s->b, "up/gone", id, soon(), &err);
	check_r(r, 0, &err, "... twice");
	if (s->has_abort)
		gone(s, id, &part);
	r = backend_sync_head(s->b, "up/gone", &info, soon(), &err);
	check_r(r, -ENOENT, &err, "... and leaves no object");
	in_case(0);
	buf_release(&keys);
}

static void read_only(struct subject *s)
{
	struct opening how = s->how;
	struct object_info info;
	struct err err = ERR_INIT;
	struct backend *b;
	char *text;

	must(put_text(s->b, "ro", "1", false, NULL, &info), &err, "put");
	how.read_only = true;
	b = must_open(&how, s->engine);
	check_r(put_text(b, "ro", "2", false, NULL, &info), -EROFS, &err,
		"a read-only location refuses a put");
	check_r(backend_sync_delete(b, "ro", NULL, soon(), &err), -EROFS, &err,
		"... and a deletion");
	check_r(backend_probe(b, soon(), &err), -EROFS, &err,
		"... and a probe");
	text = get_text(b, "ro", &info);
	check(!strcmp(text, "1"), "... and reads");
	free(text);
	backend_put_ref(b);
}

/* What would be ignored must not look as if it held. */
static void no_conditions(struct subject *s)
{
	struct object_info info;
	struct err err = ERR_INIT;

	in_case(27);
	check_r(put_text(s->b, "c/new", "1", true, NULL, &info), -ENOTSUP,
		&err, "a key that must be new is refused");
	in_case(28);
	check_r(put_text(s->b, "c/new", "1", false, "e", &info), -ENOTSUP,
		&err, "an etag that must stand is refused");
	check(backend_sync_head(s->b, "c/new", &info, soon(), &err) == -ENOENT,
	      "... and nothing is made");
	skip("replaced under a validator",
	     "the store has no conditional writes");
	in_case(0);
}

void test_writing(struct subject *s)
{
	/* Before anything conditional, as the catalog does it. */
	probe(s);
	if (s->has_conditions)
		conditions(s);
	else
		no_conditions(s);
	deletion(s);
	uploads(s);
	aborted(s);
	read_only(s);
}
