/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/import/import_prefixes.h"

#include <string.h>
#include <criterion/criterion.h>

/* The container's part, as the test's paths have it. */
static size_t base_of(const char *path)
{
	const char *slash = strchr(path + strlen("s3://"), '/');

	return slash ? (size_t)(slash - path) : strlen(path);
}

static void source_is(const char *path, const char *relative, const char *want)
{
	size_t len = import_prefixes_source(path, strlen(path), base_of(path),
					    relative, strlen(relative));

	cr_expect_eq(len, strlen(want), "%s as %s: %.*s, not %s", path,
		     relative, (int)len, path, want);
	cr_expect_eq(strncmp(path, want, len), 0);
}

Test(import_prefixes, an_undamaged_entry_needs_its_folder)
{
	source_is("s3://raw/2024/train/x.bin", "2024/train/x.bin",
		  "s3://raw/2024/train");
	source_is("s3://raw/2024/train/x.bin", "train/x.bin",
		  "s3://raw/2024/train");
	source_is("s3://raw/ID/hashes/0cc175b9", "a/b.bin", "s3://raw/ID/hashes");
	source_is("s3://raw/x.bin", "x.bin", "s3://raw");
}

Test(import_prefixes, a_damaged_entry_needs_the_prefix_that_its_object_is_below)
{
	source_is("s3://srcb/data/raw/.bin", "raw/a.bin", "s3://srcb/data/raw");
	source_is("s3://srcb/data/raw/in/x.bin", "raw/train/x.bin",
		  "s3://srcb/data/raw");
	source_is("s3://srcb/data/raw/xx/y.bin", "raw/rad/xx/y.bin",
		  "s3://srcb/data/raw");
}

Test(import_prefixes, it_is_never_shorter_than_the_container)
{
	source_is("s3://b/c", "zzz", "s3://b");
	source_is("s3://b/c", "", "s3://b");
	source_is("s3://b/c", "s3://b/c", "s3://b");
	source_is("s3://b/c", "x/s3://b/c", "s3://b");
}

static void add(struct import_prefixes *p, const char *dir)
{
	struct err err = ERR_INIT;

	cr_assert_eq(import_prefixes_add(p, dir, strlen(dir), base_of(dir),
					 &err), 0);
}

static void lines_are(const struct import_prefixes *p, const char *want)
{
	cleanup_buf struct buf got = BUF_INIT;

	for (size_t i = 0; i < p->n_containers; i++)
		for (size_t k = 0; k < p->containers[i].n_prefixes; k++)
			buf_printf(&got, "%s ", p->containers[i].prefixes[k]);
	cr_expect_str_eq(got.data, want);
}

Test(import_prefixes, each_first_component_has_a_line_of_its_own)
{
	struct import_prefixes p = { .n_containers = 0 };

	add(&p, "s3://raw/2024/train/a");
	add(&p, "s3://raw/2024/train/b");
	add(&p, "s3://raw/2023/x");
	add(&p, "s3://other/2024/trainer");
	add(&p, "s3://other/2024/train");
	lines_are(&p, "s3://other/2024 s3://raw/2023/x s3://raw/2024/train ");
	import_prefixes_release(&p);
}

Test(import_prefixes, components_that_only_begin_alike_are_different)
{
	struct import_prefixes p = { .n_containers = 0 };

	add(&p, "s3://b/abc");
	add(&p, "s3://b/ab");
	add(&p, "s3://bb/abc");
	lines_are(&p, "s3://b/ab s3://b/abc s3://bb/abc ");
	import_prefixes_release(&p);
}

Test(import_prefixes, the_containers_root_takes_in_all_lines)
{
	struct import_prefixes p = { .n_containers = 0 };

	add(&p, "s3://b/x/y");
	add(&p, "s3://b/z");
	add(&p, "s3://b");
	add(&p, "s3://b/after");
	lines_are(&p, "s3://b ");
	import_prefixes_release(&p);
}

Test(import_prefixes, many_lines_become_one)
{
	struct import_prefixes p = { .n_containers = 0 };
	char dir[64];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(dir, sizeof(dir), "s3://b/%d/x", i);
		add(&p, dir);
	}
	lines_are(&p, "s3://b ");
	import_prefixes_release(&p);
}

Test(import_prefixes, what_exceeds_the_limit_is_counted)
{
	struct import_prefixes p = { .n_containers = 0 };
	char dir[64];

	for (int i = 0; i < IMPORT_CONTAINERS_MAX + 3; i++) {
		(void)snprintf(dir, sizeof(dir), "s3://b%d/x", i);
		add(&p, dir);
	}
	cr_assert_eq(p.n_containers, IMPORT_CONTAINERS_MAX);
	cr_assert_eq(p.n_dropped, 3);
	for (size_t i = 1; i < p.n_containers; i++)
		cr_assert_lt(strcmp(p.containers[i - 1].base,
				    p.containers[i].base), 0);
	import_prefixes_release(&p);
}
