/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a daemon's cache directory with what reading N small files of a bucket
 * below a directory would leave there, which need not have the objects:
 *
 *	fill_cache SEGMENTS-DIR FOLDER KEY-PREFIX N BYTES [PER-SEGMENT [wrong]]
 *
 * File i has i in decimal, spaces to BYTES, the last a newline; its key is
 * KEY-PREFIX and its MD5.  With PER-SEGMENT no segment has more of them, as if
 * they were so large that no more had room.  "wrong": their last byte is another
 * one than their MD5 says, which no cache would do.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/digest.h"
#include "cache/blob.h"
#include "cache/disk/disk_cache.h"

#define MEMORY ((uint64_t)256 << 20)
#define BYTES_MIN 16u
#define KEY_MAX 256u

static struct err err;

static _Noreturn void die(void)
{
	fprintf(stderr, "fill_cache: %s\n", err.text);
	exit(1);
}

static struct backend *open_folder(const char *folder)
{
	cleanup_uri struct uri uri;
	struct backend_spec spec = { .location = &uri, .read_only = true };
	cleanup_buf struct buf text = BUF_INIT;
	struct backend *backend;

	if (buf_reserve(&text, strlen(folder) + 8, &err) < 0)
		die();
	buf_str(&text, "file://");
	buf_str(&text, folder);
	if (uri_parse_location(&uri, text.data, &err) < 0 ||
	    backend_open(&backend, &spec, NULL, &err) < 0)
		die();
	return backend;
}

static struct disk_cache *open_cache(const char *dir,
				     struct memory_budget *budget)
{
	struct disk_cache_options opt = { .dir = dir, .budget = budget,
					  .size = (uint64_t)1 << 40 };
	struct disk_cache *dc;

	if (disk_cache_open(&dc, &opt, &err) < 0)
		die();
	return dc;
}

static void nothing(void *arg)
{
	(void)arg;
}

static bool is_wrong;

static void put_file(struct disk_cache *dc, struct blob *blob,
		     const char *prefix, unsigned long i, char *data)
{
	struct segment_key key;
	struct blob_id id;
	char name[KEY_MAX];
	int n = snprintf(name, sizeof(name), "%s", prefix);

	(void)snprintf(data, blob->size + 1, "%-*lu\n", (int)blob->size - 1, i);
	digest_md5(blob->md5, data, blob->size);
	for (unsigned b = 0; b < MD5_SIZE; b++)
		n += snprintf(name + n, sizeof(name) - (size_t)n, "%02x",
			      blob->md5[b]);
	data[blob->size - 1] ^= is_wrong;
	blob->key = name;
	blob_identify(&id, blob);
	key = (struct segment_key){ id.hi, id.lo };
	disk_cache_put(dc, &key, 0, data, (uint32_t)blob->size, nothing, NULL);
	/* The buffer is the next one's. */
	(void)disk_cache_flush(dc, INT64_MAX);
}

/* That nothing of a blob is valid is on the disk at once: in a sealed one. */
static void end_segment(struct disk_cache *dc)
{
	static const struct segment_key nobody;
	static const struct disk_note nothing_valid;

	disk_cache_set_note(dc, &nobody, &nothing_valid);
}

int main(int argc, char **argv)
{
	bool is_told = argc >= 6 && argc <= 8;
	unsigned long n = is_told ? strtoul(argv[4], NULL, 10) : 0;
	unsigned long len = is_told ? strtoul(argv[5], NULL, 10) : 0;
	unsigned long per = argc >= 7 ? strtoul(argv[6], NULL, 10) : n;
	struct blob blob = { .size = len, .check = BLOB_CHECK_OSMO,
			     .has_md5 = true };
	struct memory_budget *budget;
	struct disk_cache_stats stats;
	struct disk_cache *dc;
	char *data;

	if (!n || !per || len < BYTES_MIN || len > DISK_CACHE_EXTENT ||
	    strlen(argv[3]) > KEY_MAX / 2) {
		fprintf(stderr, "usage: fill_cache SEGMENTS-DIR FOLDER KEY-PREFIX N BYTES [PER-SEGMENT [wrong]]\n");
		return 2;
	}
	is_wrong = argc == 8;
	data = malloc(len + 1);
	if (!data || memory_budget_new(&budget, MEMORY, 0, &err) < 0)
		die();
	blob.backend = open_folder(argv[2]);
	dc = open_cache(argv[1], budget);
	for (unsigned long i = 0; i < n; i++) {
		put_file(dc, &blob, argv[3], i, data);
		if ((i + 1) % per == 0)
			end_segment(dc);
	}
	disk_cache_stats(dc, &stats);
	printf("%llu records in %llu segments\n",
	       (unsigned long long)stats.records,
	       (unsigned long long)stats.segments);
	disk_cache_free(dc);
	backend_put_ref(blob.backend);
	memory_budget_free(budget);
	free(data);
	return stats.records == n ? 0 : 1;
}
