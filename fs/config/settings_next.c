/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/config/settings.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void name_it(struct buf *out, bool is_same, const char *name)
{
	if (!is_same)
		buf_printf(out, "%s%s", out->len ? ", " : "", name);
}

void settings_next_mount(const struct settings *now,
			 const struct settings *next, struct buf *out)
{
	name_it(out, same(now->cache_dir, next->cache_dir), "cache.dir");
	name_it(out, now->cache_size == next->cache_size, "cache.size");
	name_it(out, now->cache_free == next->cache_free &&
		     now->cache_free_percent == next->cache_free_percent,
		"cache.free");
	name_it(out, now->memory == next->memory, "memory");
	name_it(out, same(now->ca_file, next->ca_file), "ca_file");
}
