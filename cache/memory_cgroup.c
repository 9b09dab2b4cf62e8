/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/memory_cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/buf.h"
#include "backends/base/io.h"

#define PROC_LIMIT ((size_t)64 << 10)
/* Version 1 writes "no limit" as the largest multiple of a page. */
#define V1_NONE ((uint64_t)INT64_MAX & ~(uint64_t)0xffff)

/* The number in a limit file; MEMORY_CGROUP_NONE for "max" or no such file. */
static uint64_t limit_of(const char *path)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	unsigned long long v;
	char *end;

	if (io_read_file(path, 64, &text, &err) < 0 || !text.data)
		return MEMORY_CGROUP_NONE;
	errno = 0;
	v = strtoull(text.data, &end, 10);
	if (errno || end == text.data || (*end && *end != '\n'))
		return MEMORY_CGROUP_NONE;
	return v >= V1_NONE ? MEMORY_CGROUP_NONE : v;
}

/* The smallest of base/path/file, base/parent/file, ..., base/file. */
static uint64_t limit_upwards(const char *base, const char *path, size_t len,
			      const char *file)
{
	uint64_t least = MEMORY_CGROUP_NONE;

	for (;;) {
		cleanup_buf struct buf name = BUF_INIT_LIMIT(PATH_MAX * 2);
		uint64_t v;

		while (len && path[len - 1] == '/')
			len--;
		buf_printf(&name, "%s%.*s/%s", base, (int)len, path, file);
		if (!buf_failed(&name)) {
			v = limit_of(name.data);
			if (v < least)
				least = v;
		}
		if (!len)
			return least;
		while (len && path[len - 1] != '/')
			len--;
	}
}

/* Whether the comma-separated list names the memory controller. */
static bool has_memory(const char *list, size_t len)
{
	while (len) {
		const char *comma = memchr(list, ',', len);
		size_t n = comma ? (size_t)(comma - list) : len;

		if (n == 6 && !memcmp(list, "memory", 6))
			return true;
		if (!comma)
			return false;
		list += n + 1;
		len -= n + 1;
	}
	return false;
}

/* One line: "hierarchy:controllers:path". */
static uint64_t limit_of_line(const char *line, size_t len, const char *sysfs)
{
	const char *one = memchr(line, ':', len);
	const char *two = one ? memchr(one + 1, ':',
				       len - (size_t)(one + 1 - line)) : NULL;
	cleanup_buf struct buf base = BUF_INIT_LIMIT(PATH_MAX);
	const char *path;
	size_t path_len;

	if (!two)
		return MEMORY_CGROUP_NONE;
	path = two + 1;
	path_len = len - (size_t)(path - line);
	if (path_len > PATH_MAX)
		return MEMORY_CGROUP_NONE;
	if (two == one + 1)
		return limit_upwards(sysfs, path, path_len, "memory.max");
	if (!has_memory(one + 1, (size_t)(two - one - 1)))
		return MEMORY_CGROUP_NONE;
	buf_printf(&base, "%s/memory", sysfs);
	if (buf_failed(&base))
		return MEMORY_CGROUP_NONE;
	return limit_upwards(base.data, path, path_len,
			     "memory.limit_in_bytes");
}

uint64_t memory_cgroup_limit(const char *text, const char *sysfs)
{
	uint64_t least = MEMORY_CGROUP_NONE;

	while (*text) {
		size_t len = strcspn(text, "\n");
		uint64_t v = limit_of_line(text, len, sysfs);

		if (v < least)
			least = v;
		text += len;
		if (*text)
			text++;
	}
	return least;
}

uint64_t memory_cgroup_own(void)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	if (io_read_file("/proc/self/cgroup", PROC_LIMIT, &text, &err) < 0 ||
	    !text.data)
		return MEMORY_CGROUP_NONE;
	return memory_cgroup_limit(text.data, "/sys/fs/cgroup");
}
