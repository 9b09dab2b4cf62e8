/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/memory_cgroup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];

static void setup(void)
{
	strcpy(root, "/tmp/memory_cgroup_test.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(memory_cgroup, .init = setup, .fini = teardown);

/* Writes root/name, making the folders on the way. */
static void put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

Test(memory_cgroup, version_2_the_smallest_on_the_way_up_holds)
{
	put("memory.max", "max\n");
	put("pod/memory.max", "500000000\n");
	put("pod/container/memory.max", "800000000\n");
	cr_assert_eq(memory_cgroup_limit("0::/pod/container\n", root),
		     500000000);
	put("pod/container/memory.max", "300000000\n");
	cr_assert_eq(memory_cgroup_limit("0::/pod/container\n", root),
		     300000000);
}

Test(memory_cgroup, version_1_has_a_folder_of_its_own)
{
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/docker/x/memory.limit_in_bytes", "134217728\n");
	cr_assert_eq(memory_cgroup_limit("5:cpu,cpuacct:/docker/x\n"
					 "4:memory:/docker/x\n"
					 "1:name=systemd:/docker/x\n", root),
		     134217728);
}

Test(memory_cgroup, version_1_mounted_together_with_others)
{
	put("memory/a/memory.limit_in_bytes", "77777777\n");
	cr_assert_eq(memory_cgroup_limit("3:cpu,memory:/a\n", root), 77777777);
}

Test(memory_cgroup, in_a_container_the_path_may_be_the_hosts)
{
	put("memory.max", "222222222\n");
	cr_assert_eq(memory_cgroup_limit("0::/kubepods/pod1/abc\n", root),
		     222222222);
}

Test(memory_cgroup, no_limit_is_no_limit)
{
	cr_assert_eq(memory_cgroup_limit("0::/\n", root), MEMORY_CGROUP_NONE);
	put("memory.max", "max\n");
	cr_assert_eq(memory_cgroup_limit("0::/\n", root), MEMORY_CGROUP_NONE);
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	cr_assert_eq(memory_cgroup_limit("4:memory:/\n", root),
		     MEMORY_CGROUP_NONE);
}

Test(memory_cgroup, nonsense_is_no_limit)
{
	static const char *const texts[] = {
		"", "\n", "::", "0:", "0::", "4:memory", "a:b:c", "4:memoryx:/",
		"0::/../../..\n",
	};

	put("memory.max", "12 apples\n");
	put("memory/memory.limit_in_bytes", "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_assert_eq(memory_cgroup_limit(texts[i], root),
			     MEMORY_CGROUP_NONE, "%s", texts[i]);
}
