/* SPDX-License-Identifier: Apache-2.0 */
/* The map from errors below to what a program sees. */
#include <config.h>
#include "fs/mount/fuse/reply.h"

#include <errno.h>
#include <criterion/criterion.h>

static int shown(enum reply_context context, enum err_class class, int code)
{
	struct err err = ERR_INIT;

	return reply_errno(context, err_set(&err, class, code, "x"), &err);
}

Test(reply, what_is_missing_is_absent_as_a_name_and_an_error_as_content)
{
	cr_assert_eq(shown(REPLY_NAME, ERR_MISSING, ENOENT), ENOENT);
	cr_assert_eq(shown(REPLY_CONTENT, ERR_MISSING, ENOENT), EIO);
	cr_assert_eq(shown(REPLY_NAME, ERR_MISSING, ESTALE), ESTALE);
	cr_assert_eq(shown(REPLY_CONTENT, ERR_CONFLICT, ESTALE), EIO);
}

Test(reply, a_refused_credential_is_eacces_whatever_its_errno)
{
	cr_assert_eq(shown(REPLY_CONTENT, ERR_AUTH, EPERM), EACCES);
	cr_assert_eq(shown(REPLY_CONTENT, ERR_AUTH, EIO), EACCES);
	cr_assert_eq(shown(REPLY_NAME, ERR_AUTH, EACCES), EACCES);
}

Test(reply, time_and_signals_and_memory_keep_their_errno)
{
	cr_assert_eq(shown(REPLY_CONTENT, ERR_RETRY, ETIMEDOUT), ETIMEDOUT);
	cr_assert_eq(shown(REPLY_NAME, ERR_RETRY, EINTR), EINTR);
	cr_assert_eq(shown(REPLY_CONTENT, ERR_SYSTEM, ENOMEM), ENOMEM);
	cr_assert_eq(shown(REPLY_CONTENT, ERR_SYSTEM, ESHUTDOWN), ENOTCONN);
}

Test(reply, everything_else_is_an_io_error)
{
	const int codes[] = { EBADMSG, EFBIG, EAGAIN, ENOSPC, EROFS, EMFILE,
			      ENOTSUP, 9999 };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		cr_assert_eq(shown(REPLY_CONTENT, ERR_CORRUPT, codes[i]), EIO);
		cr_assert_eq(shown(REPLY_NAME, ERR_CORRUPT, codes[i]), EIO);
	}
	cr_assert_eq(reply_errno(REPLY_CONTENT, -EBADMSG, NULL), EIO);
}
