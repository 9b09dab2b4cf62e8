/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/fuse/xattr.h"

#include <criterion/criterion.h>

static void shows(const char *uri, const char *want)
{
	struct buf out = BUF_INIT;

	xattr_plain_uri(&out, uri);
	cr_assert_str_eq(out.data ? out.data : "", want, "%s", uri);
	buf_release(&out);
}

Test(xattr, a_source_is_shown_without_user_query_and_fragment)
{
	shows("s3://bucket/a/b", "s3://bucket/a/b");
	shows("s3://bucket/a?X-Amz-Signature=secret", "s3://bucket/a");
	shows("azure://user:pw@acc/c/x#frag", "azure://acc/c/x");
	shows("s3://u@h@host/a@b", "s3://host/a@b");
	shows("s3://host/a@b?c@d", "s3://host/a@b");
	shows("s3://host?u@x", "s3://host");
	shows("file:///srv/a@b", "file:///srv/a@b");
	shows("no uri at all", "no uri at all");
	shows("", "");
	shows("?q://u@h", "");
}
