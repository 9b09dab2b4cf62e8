/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const class_names[] = {
	[ERR_NONE] = "none",	     [ERR_RETRY] = "retry",
	[ERR_AUTH] = "auth",	     [ERR_MISSING] = "missing",
	[ERR_CORRUPT] = "corrupt",   [ERR_USAGE] = "usage",
	[ERR_CONFLICT] = "conflict", [ERR_SYSTEM] = "system",
};

/*
 * Everything is formatted into a copy first: an argument may well be the
 * text of the very error that is being set.
 */
struct draft {
	char text[ERR_TEXT_MAX];
	size_t len;	/* what was wanted; ERR_TEXT_MAX or more: cut */
};

static void draft_vadd(struct draft *draft, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void draft_add(struct draft *draft, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

static void draft_vadd(struct draft *draft, const char *fmt, va_list ap)
{
	int n;

	if (draft->len >= sizeof(draft->text))
		return;
	n = vsnprintf(draft->text + draft->len,
		      sizeof(draft->text) - draft->len, fmt, ap);
	if (n > 0)
		draft->len += (size_t)n;
}

static void draft_add(struct draft *draft, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	draft_vadd(draft, fmt, ap);
	va_end(ap);
}

static void draft_into(struct draft *draft, struct err *err)
{
	static const char dots[] = "...";
	size_t cut = sizeof(draft->text) - sizeof(dots);

	if (draft->len >= sizeof(draft->text)) {
		/* Not in the middle of a UTF-8 sequence. */
		while (cut > 0 && ((unsigned char)draft->text[cut] & 0xc0) == 0x80)
			cut--;
		memcpy(draft->text + cut, dots, sizeof(dots));
		draft->len = cut + sizeof(dots) - 1;
	}
	memcpy(err->text, draft->text, draft->len);
	err->text[draft->len] = '\0';
}

int err_set(struct err *err, enum err_class class, int code, const char *fmt,
	    ...)
{
	struct draft draft = { .len = 0 };
	va_list ap;

	assert(class != ERR_NONE && code > 0);
	va_start(ap, fmt);
	draft_vadd(&draft, fmt, ap);
	va_end(ap);
	draft_into(&draft, err);
	err->class = class;
	err->code = code;
	return -code;
}

int err_errno(struct err *err, int code, const char *fmt, ...)
{
	struct draft draft = { .len = 0 };
	char words[128];
	va_list ap;

	assert(code > 0);
	va_start(ap, fmt);
	draft_vadd(&draft, fmt, ap);
	va_end(ap);
	draft_add(&draft, ": %s", strerror_r(code, words, sizeof(words)));
	draft_into(&draft, err);
	err->class = ERR_SYSTEM;
	err->code = code;
	return -code;
}

int err_nomem(struct err *err)
{
	return err_set(err, ERR_SYSTEM, ENOMEM, "out of memory");
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	struct draft draft = { .len = 0 };
	va_list ap;

	assert(err->class != ERR_NONE);
	va_start(ap, fmt);
	draft_vadd(&draft, fmt, ap);
	va_end(ap);
	draft_add(&draft, ": %s", err->text);
	draft_into(&draft, err);
	return -err->code;
}

void err_clear(struct err *err)
{
	err->class = ERR_NONE;
	err->code = 0;
	err->text[0] = '\0';
}

void err_copy(struct err *to, const struct err *from)
{
	if (to == from)
		return;
	to->class = from->class;
	to->code = from->code;
	memcpy(to->text, from->text, strlen(from->text) + 1);
}

const char *err_class_name(enum err_class class)
{
	if ((size_t)class >= ARRAY_SIZE(class_names))
		return "unknown";
	return class_names[class];
}
