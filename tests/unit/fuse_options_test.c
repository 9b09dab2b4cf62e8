/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/fuse_options.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include "fs/mount/mount.h"

static struct fuse_options must_parse(const char *text, bool is_root)
{
	struct fuse_options opt;
	struct err err = ERR_INIT;

	cr_assert_eq(fuse_options_parse(&opt, text, is_root, &err), 0, "%s: %s",
		     text, err.text);
	return opt;
}

static bool has_word(const struct fuse_options *opt, const char *word)
{
	const char *at = opt->kernel.data;
	size_t len = strlen(word);

	for (; (at = strstr(at, word)); at += len)
		if ((at == opt->kernel.data || at[-1] == ',') &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

Test(fuse_options, every_mount_is_read_only_and_checks_permissions)
{
	struct fuse_options opt = must_parse(NULL, false);

	cr_assert(has_word(&opt, "ro"));
	cr_assert(has_word(&opt, "nosuid"));
	cr_assert(has_word(&opt, "nodev"));
	cr_assert(has_word(&opt, "default_permissions"));
	cr_assert(has_word(&opt, "fsname=datasetfs"));
	cr_assert(has_word(&opt, "subtype=datasetfs"));
	cr_assert_not(has_word(&opt, "allow_other"));
	cr_assert_eq(opt.timeout_ms, MOUNT_READ_TIMEOUT_MS);
	cr_assert_eq(opt.umask, 0);
	cr_assert_eq(opt.uid, (uid_t)-1);
	fuse_options_release(&opt);
}

Test(fuse_options, root_serves_others_unless_told)
{
	struct fuse_options opt = must_parse("", true);

	cr_assert(has_word(&opt, "allow_other"));
	fuse_options_release(&opt);
}

Test(fuse_options, values_are_taken_over)
{
	struct fuse_options opt = must_parse(
		"ro,uid=1000,gid=7,umask=027,timeout=5,threads=3,inode32,exec,"
		"fsname=x,noatime,allow_other,nonempty,noxattr,_netdev,x-systemd.automount",
		false);

	cr_assert_eq(opt.uid, 1000);
	cr_assert_eq(opt.gid, 7);
	cr_assert_eq(opt.umask, 027);
	cr_assert_eq(opt.timeout_ms, 5000);
	cr_assert_eq(opt.threads, 3);
	cr_assert(opt.inode32 && opt.exec && opt.nonempty && opt.noxattr);
	cr_assert(has_word(&opt, "allow_other"));
	cr_assert(has_word(&opt, "noatime"));
	cr_assert(has_word(&opt, "fsname=x"));
	cr_assert_not(has_word(&opt, "_netdev"));
	fuse_options_release(&opt);
}

Test(fuse_options, what_concerns_mount_8_is_left_out)
{
	struct fuse_options opt = must_parse(
		"defaults,_netdev,nofail,auto,noauto,user,user=ada,users,nouser,"
		"owner,group,async,relatime,comment=a,x-systemd.automount,"
		"X-mount.mkdir=0755", false);
	struct fuse_options none = must_parse(NULL, false);

	cr_assert_str_eq(opt.kernel.data, none.kernel.data);
	fuse_options_release(&opt);
	fuse_options_release(&none);
}

static void refuses(const char *text, const char *named)
{
	struct err err = ERR_INIT;

	cr_assert_eq(mount_check_options(text, &err), -EINVAL, "%s", text);
	cr_assert_eq(err.class, ERR_USAGE);
	cr_assert_not_null(strstr(err.text, named), "%s: %s", text, err.text);
}

Test(fuse_options, what_is_not_known_is_refused_by_name)
{
	refuses("allow_othr", "allow_othr");
	refuses("ro,uid", "uid");
	refuses("rw", "read-only");
	refuses("suid", "suid");
	refuses("dev", "dev");
	refuses("max_read=1", "max_read");
	refuses("config=/etc/datasetfs/config.yaml", "config=");
	refuses("userx", "userx");
}

Test(fuse_options, numbers_out_of_range_are_refused)
{
	refuses("uid=-1", "uid=-1");
	refuses("uid=4294967295", "uid=");
	refuses("uid=", "uid=");
	refuses("gid=12x", "gid=12x");
	refuses("umask=999", "umask=999");
	refuses("umask=1777", "umask=1777");
	refuses("timeout=0", "timeout=0");
	refuses("threads=65", "threads=65");
	refuses("uid= 5", "uid= 5");
}

Test(fuse_options, a_string_without_end_is_refused)
{
	char text[5001];

	memset(text, ',', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refuses(text, "longer");
}
