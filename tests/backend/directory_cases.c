/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that somebody else wrote, against what they must be: the files of a
 * folder, named as their keys.
 */
#include <config.h>
#include "tests/backend/conformance.h"

#include <dirent.h>
#include <limits.h>
#include "backends/base/encode.h"
#include "backends/base/io.h"

#define FILE_MAX_BYTES ((size_t)64 << 20)

static void check_range(struct subject *s, const char *key,
			const struct buf *want, uint64_t offset, size_t len)
{
	struct object_info info;
	struct err err = ERR_INIT;
	char *got = malloc(len + 1);
	int r = get_range(s->b, key, got, offset, len, NULL, want->len, &info,
			  &err);

	check(r == 0 && !memcmp(got, want->data + offset, len),
	      "%s: %zu bytes at %llu of %zu (%s)", key, len,
	      (unsigned long long)offset, want->len, err.text);
	free(got);
}

static void check_beyond(struct subject *s, const char *key, uint64_t offset,
			 size_t len)
{
	struct object_info info;
	struct err err = ERR_INIT;
	char *got = malloc(len);
	int r = get_range(s->b, key, got, offset, len, NULL,
			  BACKEND_SIZE_UNKNOWN, &info, &err);

	check_r(r, -EBADMSG, &err, "%s: %zu bytes at %llu: beyond the end", key,
		len, (unsigned long long)offset);
	free(got);
}

/* What makes a range of an object that was replaced a failure. */
static void check_validator(struct subject *s, const char *key,
			    const char *validator, uint64_t size)
{
	char other[BACKEND_ETAG_MAX];
	struct object_info info;
	struct err err = ERR_INIT;
	char got[1];
	int r = get_range(s->b, key, got, 0, 1, validator, size, &info, &err);

	check_r(r, 0, &err, "%s: a byte under its validator", key);
	(void)snprintf(other, sizeof(other), "%s", validator);
	other[0] = other[0] == '0' ? '1' : '0';
	r = get_range(s->b, key, got, 0, 1, other, size, &info, &err);
	check_r(r, -ESTALE, &err, "%s: ... and under another one", key);
}

static void check_object(struct subject *s, const char *key,
			 const struct buf *want)
{
	size_t size = want->len;
	struct object_info info;
	struct err err = ERR_INIT;
	int r = backend_sync_head(s->b, key, &info, soon(), &err);

	check(r == 0 && info.size == size, "%s: %llu bytes of %zu (%s)", key,
	      (unsigned long long)info.size, size, err.text);
	if (size) {
		check_range(s, key, want, 0, size);
		check_range(s, key, want, size - 1, 1);
		check_range(s, key, want, size / 2, size - size / 2);
		check_beyond(s, key, size - 1, 2);
		if (*object_validator(&info))
			check_validator(s, key, object_validator(&info), size);
	}
	check_beyond(s, key, size, 1);
}

static void check_broken(struct subject *s, const char *key)
{
	struct object_info info;
	struct err err = ERR_INIT;
	char got[1];
	int r = get_range(s->b, key, got, 0, 1, NULL, BACKEND_SIZE_UNKNOWN,
			  &info, &err);

	check(r < 0, "%s: cannot be read: %s", key, err.text);
}

void test_directory(struct subject *s, const char *dir, bool is_broken)
{
	struct err err = ERR_INIT;
	struct dirent *entry;
	DIR *d = opendir(dir);

	if (!d)
		must(-errno, &err, dir);
	while ((entry = readdir(d)) != NULL) {
		struct buf key = BUF_INIT, want = BUF_INIT;
		char path[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		must(decode_percent(&key, entry->d_name, strlen(entry->d_name),
				    false, &err),
		     &err, entry->d_name);
		must(io_read_file(path, FILE_MAX_BYTES, &want, &err), &err,
		     path);
		if (is_broken)
			check_broken(s, key.data);
		else
			check_object(s, key.data, &want);
		buf_release(&key);
		buf_release(&want);
	}
	(void)closedir(d);
}
