/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error, on the caller's stack: a class that decides what to do, an errno
 * for the kernel, and a sentence for people.  It needs no free and cannot
 * fail.  Set where the fault is seen, wrapped on the way up with the object's
 * name, so that it reads "mount production: list datasets: 403 AccessDenied".
 *
 * Every function that can fail takes a struct err * (never NULL) and returns 0
 * or -errno (counts are ssize_t >= 0).  Never put a secret, a signature or a
 * query string into the text.
 */
#ifndef DATASETFS_BASE_ERR_H
#define DATASETFS_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include "backends/base/cleanup.h"

enum err_class {
	ERR_NONE = 0,
	ERR_RETRY,	/* may succeed later: timeouts, throttling, resets */
	ERR_AUTH,	/* no, wrong or insufficient credential */
	ERR_MISSING,	/* the named thing does not exist */
	ERR_CORRUPT,	/* bytes are not what they must be */
	ERR_USAGE,	/* the caller, the command line or the configuration */
	ERR_CONFLICT,	/* a condition (create-only, if-match) did not hold */
	ERR_SYSTEM,	/* this machine: memory, disk, descriptors, kernel */
};

#define ERR_TEXT_MAX 768	/* bytes; longer messages end in "..." */

struct err {
	enum err_class class;
	int code;		/* a positive errno */
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT { .class = ERR_NONE }

/* Sets *err and returns -code, so that "return err_set(...)" is the idiom. */
int err_set(struct err *err, enum err_class class, int code, const char *fmt,
	    ...) PRINTF_LIKE(4, 5);

/* err_set() with ": strerror(code)" appended and the class ERR_SYSTEM. */
int err_errno(struct err *err, int code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* -ENOMEM with a fixed sentence. */
int err_nomem(struct err *err);

/*
 * Puts "what: " in front of the text; class and code stay.  Returns -code, so
 * that "return err_wrap(err, "bucket %s", name)" is the idiom.
 */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *err);
void err_copy(struct err *to, const struct err *from);

/* "retry", "auth", ...: for logs and --json. */
const char *err_class_name(enum err_class class);

#endif
