/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/point/mountinfo.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include "fs/mount/mount.h"
#include "fs/mount/point/point.h"

Test(mountinfo, reads_a_line_with_optional_fields_and_escapes)
{
	struct mountinfo m;

	cr_assert(mountinfo_parse(&m,
		"98 21 0:53 / /data/my\\040sets\\134x ro,nosuid shared:7 master:2 - fuse.datasetfs datasetfs ro,user_id=1000,group_id=100,allow_other"));
	cr_assert_eq(m.id, 98);
	cr_assert_eq(m.major, 0);
	cr_assert_eq(m.minor, 53);
	cr_assert_str_eq(m.root, "/");
	cr_assert_str_eq(m.point, "/data/my sets\\x");
	cr_assert_str_eq(m.type, "fuse.datasetfs");
	cr_assert_eq(m.user_id, 1000);
	cr_assert(mountinfo_is_ours(&m));
}

Test(mountinfo, a_bind_of_a_part_is_not_the_mount)
{
	struct mountinfo m;

	cr_assert(mountinfo_parse(&m,
		"98 21 0:53 /production /data ro - fuse.datasetfs datasetfs ro"));
	cr_assert_not(mountinfo_is_ours(&m));
	cr_assert_eq(m.user_id, (uid_t)-1);
}

Test(mountinfo, lines_of_another_form_are_no_mounts)
{
	struct mountinfo m;
	char line[2 * PATH_MAX + 100];

	cr_assert_not(mountinfo_parse(&m, ""));
	cr_assert_not(mountinfo_parse(&m, "98 21 0:53 / /data ro"));
	cr_assert_not(mountinfo_parse(&m, "x 21 0:53 / /data ro - fuse a b"));
	cr_assert_not(mountinfo_parse(&m, "98 21 0:53 /"));
	cr_assert_not(mountinfo_parse(&m, "98 21 0:53 / /data ro - "));
	strcpy(line, "98 21 0:53 / /");
	memset(line + strlen(line), 'x', 2 * PATH_MAX);
	strcpy(line + 2 * PATH_MAX, " - fuse a b");
	cr_assert_not(mountinfo_parse(&m, line));
}

Test(mountinfo, the_root_is_found_and_is_not_ours)
{
	struct mountinfo m;
	struct err err = ERR_INIT;

	cr_assert_eq(mountinfo_find(&m, "/proc", &err), 0, "%s", err.text);
	cr_assert_str_eq(m.type, "proc");
	cr_assert_not(mount_is_mounted("/proc"));
	cr_assert_not(mount_is_mounted("/no/such/path"));
	cr_assert_eq(mountinfo_find(&m, "/no/such", &err), -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
}

Test(mountinfo, paths_lose_links_and_trailing_slashes)
{
	char out[PATH_MAX];
	struct err err = ERR_INIT;

	cr_assert_eq(mountinfo_path(out, "/proc///", &err), 0);
	cr_assert_str_eq(out, "/proc");
	cr_assert_eq(mountinfo_path(out, "/", &err), 0);
	cr_assert_str_eq(out, "/");
	cr_assert_eq(mountinfo_path(out, "/proc/../proc/.", &err), 0);
	cr_assert_str_eq(out, "/proc");
	cr_assert_eq(mountinfo_path(out, "/no/such/path", &err), -ENOENT);
	cr_assert_eq(mountinfo_path(out, "", &err), -EINVAL);
}

Test(point, a_descriptor_is_told_from_a_path)
{
	cr_assert_eq(point_fd("/dev/fd/5"), 5);
	cr_assert_eq(point_fd("/dev/fd/0"), 0);
	cr_assert_eq(point_fd("/dev/fd/"), -1);
	cr_assert_eq(point_fd("/dev/fd/5x"), -1);
	cr_assert_eq(point_fd("/dev/fd/-5"), -1);
	cr_assert_eq(point_fd("/datasets"), -1);
}
