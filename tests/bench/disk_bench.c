/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the disk cache costs a record: disk_bench DIR [RECORDS [BYTES]]
 * (1,000,000 of 1024 bytes).  Fills a cache in DIR, opens it again as the next
 * process would, reads a part at random, and prints one line each.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"
#include "cache/disk/disk_cache.h"

#define READS 100000u
#define MEMORY ((uint64_t)256 << 20)

static struct memory_budget *budget;
static uint8_t data[DISK_CACHE_EXTENT], got[DISK_CACHE_EXTENT];

static struct segment_key key_of(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15u;
	return (struct segment_key){ i, i ^ i >> 29 };
}

static unsigned long long rss_anon(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			break;
	if (f)
		(void)fclose(f);
	return kib << 10;
}

static void nothing(void *arg)
{
	(void)arg;
}

static struct disk_cache *cache_open(const char *dir)
{
	struct disk_cache_options opt = { .dir = dir, .budget = budget,
					  .size = (uint64_t)1 << 40 };
	struct disk_cache *dc = NULL;
	struct err err = ERR_INIT;

	if (disk_cache_open(&dc, &opt, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return dc;
}

static void fill(struct disk_cache *dc, uint64_t n, uint32_t len)
{
	for (uint64_t i = 0; i < n; i++) {
		struct segment_key key = key_of(i);

		memcpy(data, &i, sizeof(i));
		disk_cache_put(dc, &key, 0, data, len, nothing, NULL);
		/* The buffer is shared. */
		(void)disk_cache_flush(dc, INT64_MAX);
	}
}

static unsigned read_some(struct disk_cache *dc, uint64_t n)
{
	unsigned hits = 0;

	for (uint64_t i = 0; i < READS; i++) {
		struct segment_key key = key_of(i * 7919 % n);
		struct disk_record record;

		if (disk_cache_find(dc, &key, 0, &record) &&
		    disk_cache_read(dc, &record, got) == 0)
			hits++;
	}
	return hits;
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	uint32_t len = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1024;
	unsigned long long before;
	struct disk_cache *dc;
	struct err err = ERR_INIT;
	unsigned hits;
	int64_t start;

	if (argc < 2 || !n || len < sizeof(n) || len > DISK_CACHE_EXTENT ||
	    memory_budget_new(&budget, MEMORY, 0, &err) < 0) {
		fprintf(stderr, "usage: disk_bench DIR [RECORDS [BYTES]]\n");
		return 2;
	}
	dc = cache_open(argv[1]);
	start = clock_ms();
	fill(dc, n, len);
	printf("fill    %8.2f us a record, one at a time\n",
	       (double)(clock_ms() - start) * 1000 / (double)n);
	disk_cache_free(dc);

	before = rss_anon();
	start = clock_ms();
	dc = cache_open(argv[1]);
	printf("open    %8.3f s\n", (double)(clock_ms() - start) / 1000);
	printf("memory  %8.1f bytes a record\n",
	       (double)(rss_anon() - before) / (double)n);
	start = clock_ms();
	hits = read_some(dc, n);
	printf("hit     %8.2f us, %u of %u found\n",
	       (double)(clock_ms() - start) * 1000 / READS, hits, READS);
	disk_cache_free(dc);
	memory_budget_free(budget);
	return hits == READS ? 0 : 1;
}
