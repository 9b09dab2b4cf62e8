/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/conformance.h"

#include <stdatomic.h>

static void range(struct subject *s, const char *key, const char *bytes,
		  size_t size, uint64_t offset, size_t len)
{
	struct object_info info;
	struct err err = ERR_INIT;
	char *got = malloc(len + 1);
	int r;

	got[len] = 'x';
	r = get_range(s->b, key, got, offset, len, NULL, size, &info, &err);
	check(r == 0 && !memcmp(got, bytes + offset, len) && got[len] == 'x' &&
		      info.size == size,
	      "%zu bytes at %llu of %zu (%s)", len, (unsigned long long)offset,
	      size, err.text);
	free(got);
}

static void beyond(struct subject *s, const char *key, uint64_t offset,
		   size_t len)
{
	struct object_info info;
	struct err err = ERR_INIT;
	char *got = malloc(len);
	int r = get_range(s->b, key, got, offset, len, NULL,
			  BACKEND_SIZE_UNKNOWN, &info, &err);

	check_r(r, -EBADMSG, &err, "%zu bytes at %llu: beyond the end", len,
		(unsigned long long)offset);
	free(got);
}

static void sizes(struct subject *s)
{
	static const size_t sizes[] = { 0, 1, 2, 4096, 65537,
					(5 << 20) - 1, 5 << 20,
					(5 << 20) + 1 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i];
		char *bytes = make_bytes(size, (unsigned)i);
		struct object_info put, head;
		struct err err = ERR_INIT;
		char key[64];
		int r;

		(void)snprintf(key, sizeof(key), "size/%zu", size);
		in_case(25);
		r = put_bytes(s->b, key, bytes, size, &put, &err);
		check_r(r, 0, &err, "put of %zu bytes", size);
		r = backend_sync_head(s->b, key, &head, soon(), &err);
		check(r == 0 && head.size == size &&
			      !strcmp(head.etag, put.etag) && head.etag[0] &&
			      head.mtime_s > 1700000000,
		      "head of %zu bytes", size);
		in_case(17);
		if (size) {
			range(s, key, bytes, size, 0, size);
			range(s, key, bytes, size, 0, 1);
			range(s, key, bytes, size, size - 1, 1);
			range(s, key, bytes, size, size / 2, size - size / 2);
		}
		beyond(s, key, size, 1);
		beyond(s, key, size + 1000, 10);
		beyond(s, key, 0, size + 1);
		if (size)
			beyond(s, key, size - 1, 2);
		free(bytes);
	}
}

static void expectations(struct subject *s)
{
	struct object_info first, second, info;
	struct err err = ERR_INIT;
	char got[16];
	int r;

	must(put_text(s->b, "x", "0123456789", false, NULL, &first), &err,
	     "put");
	r = get_range(s->b, "x", got, 2, 3, object_validator(&first), 10,
		      &info, &err);
	check(r == 0 && !memcmp(got, "234", 3) &&
		      !strcmp(info.etag, first.etag),
	      "a range under its etag");
	r = get_range(s->b, "x", got, 0, 1, NULL, 11, &info, &err);
	check_r(r, -EBADMSG, &err, "another size than expected");
	r = get_range(s->b, "x", got, 0, 1, NULL, 9, &info, &err);
	check_r(r, -EBADMSG, &err, "a longer object than expected");
	r = get_range(s->b, "x", got, 0, 0, NULL, 10, &info, &err);
	check_r(r, -EINVAL, &err, "no bytes are no range");
	r = get_range(s->b, "x", got, UINT64_MAX - 1, 5, NULL,
		      BACKEND_SIZE_UNKNOWN, &info, &err);
	check_r(r, -EINVAL, &err, "a range that overflows");

	in_case(20);
	must(put_text(s->b, "x", "abcdefghij", false, NULL, &second), &err,
	     "put");
	check(strcmp(first.etag, second.etag) != 0,
	      "other content has another etag");
	r = get_range(s->b, "x", got, 2, 3, object_validator(&first), 10,
		      &info, &err);
	check_r(r, -ESTALE, &err, "a changed object");
	check(err.class == ERR_CONFLICT, "... is a conflict");
}

static void absences(struct subject *s)
{
	struct object_info info;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	char got[1];
	int r;

	r = get_range(s->b, "no/such", got, 0, 1, NULL, BACKEND_SIZE_UNKNOWN,
		      &info, &err);
	check_r(r, -ENOENT, &err, "a range of a missing object");
	check(err.class == ERR_MISSING && strstr(err.text, "no/such"),
	      "... which is named: %s", err.text);
	r = backend_sync_head(s->b, "no/such", &info, soon(), &err);
	check_r(r, -ENOENT, &err, "head of a missing object");
	r = backend_sync_get_all(s->b, "no/such", 10, &out, &info, soon(),
				 &err);
	check_r(r, -ENOENT, &err, "all of a missing object");
	r = backend_sync_delete(s->b, "no/such", NULL, soon(), &err);
	check_r(r, 0, &err, "a missing object can be deleted");
	buf_release(&out);
}

static void whole(struct subject *s)
{
	struct object_info put, info;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	int r;

	must(put_text(s->b, "all", "0123456789", false, NULL, &put), &err,
	     "put");
	buf_str(&out, "before:");
	r = backend_sync_get_all(s->b, "all", 9, &out, &info, soon(), &err);
	check_r(r, -EFBIG, &err, "more than the limit");
	check(!strcmp(out.data, "before:"), "... leaves the buffer: %s",
	      out.data);
	err_clear(&err);
	r = backend_sync_get_all(s->b, "all", 10, &out, &info, soon(), &err);
	check(r == 0 && !strcmp(out.data, "before:0123456789") &&
		      info.size == 10 && !strcmp(info.etag, put.etag),
	      "exactly the limit, appended: %s", err.text);

	buf_clear(&out);
	must(put_text(s->b, "all", "", false, NULL, &put), &err, "put");
	r = backend_sync_get_all(s->b, "all", 10, &out, &info, soon(), &err);
	check(r == 0 && out.len == 0 && info.size == 0, "nothing: %s",
	      err.text);
	buf_release(&out);
}

#define N_MANY 200

struct many {
	atomic_int left;
	atomic_int failed;
	char bytes[N_MANY][16];
};

static void on_many(void *arg, int r, const struct object_info *info,
		    const struct err *err)
{
	struct many *many = arg;

	(void)info;
	(void)err;
	if (r < 0)
		atomic_fetch_add(&many->failed, 1);
	atomic_fetch_sub(&many->left, 1);
}

static void at_once(struct subject *s)
{
	struct many *many = calloc(1, sizeof(*many));
	char *bytes = make_bytes(N_MANY * 16, 7);
	struct object_info info;
	struct err err = ERR_INIT;
	bool is_same;

	must(put_bytes(s->b, "many", bytes, N_MANY * 16, &info, &err), &err,
	     "put");
	atomic_init(&many->left, N_MANY);
	for (size_t i = 0; i < N_MANY; i++) {
		const struct backend_get get = {
			.key = "many",
			.offset = i * 16,
			.len = 16,
			.dst = many->bytes[i],
			.expect_size = N_MANY * 16,
			.deadline_ms = soon(),
		};

		backend_get(s->b, &get, on_many, many);
	}
	while (atomic_load(&many->left) > 0)
		(void)usleep(1000);
	is_same = !memcmp(many->bytes, bytes, sizeof(many->bytes));
	check(!atomic_load(&many->failed) && is_same,
	      "%d ranges at once, each in its place (%d failed)", N_MANY,
	      atomic_load(&many->failed));
	free(bytes);
	free(many);
}

static void late(struct subject *s)
{
	struct object_info info;
	struct err err = ERR_INIT;
	int r = backend_sync_head(s->b, "x", &info, clock_ms() - 1, &err);

	check_r(r, -ETIMEDOUT, &err, "a deadline that has passed");
	check(err.class == ERR_RETRY, "... may be tried again");
}

void test_reading(struct subject *s)
{
	sizes(s);
	expectations(s);
	in_case(0);
	absences(s);
	whole(s);
	at_once(s);
	late(s);
}
