/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of sources that ask: a loopback server with a list of answers,
 * what it was asked, and a credential awaited.  The environment is the
 * test's own: ask_start() takes every variable of a cloud out of it.
 */
#ifndef DATASETFS_TESTS_CRED_ASK_H
#define DATASETFS_TESTS_CRED_ASK_H

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>
#include "backends/auth/cred.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/http/http.h"
#include "tests/loopback.h"

#define ASKED_MAX 64

/* The first that matches answers; uses counts down, 0 from the start: always. */
struct said {
	const char *line;	/* "PUT /latest/api/token": a prefix */
	int status;		/* 0: no answer at all, for 30 s */
	const char *body;
	int uses;
};

/* lock guards all of it. */
static struct {
	struct lock lock;
	struct said said[16];
	size_t n_said;
	char *heads[ASKED_MAX];
	char *bodies[ASKED_MAX];
	size_t n_asked;
} talk = { .lock = LOCK_INIT };

static struct loopback server;
static struct http_engine *engine;

static struct said find_said(const char *head)
{
	struct said found = { .status = 404, .body = "" };

	for (size_t i = 0; i < talk.n_said; i++) {
		struct said *s = &talk.said[i];

		if (strncmp(head, s->line, strlen(s->line)) != 0 || s->uses < 0)
			continue;
		found = *s;
		if (s->uses > 0 && --s->uses == 0)
			s->uses = -1;
		break;
	}
	return found;
}

static int serve(struct loopback *lb, struct loopback_call *call)
{
	struct said s;

	lock_take(&talk.lock);
	cr_assert(talk.n_asked < ASKED_MAX);
	talk.heads[talk.n_asked] = strdup(call->head);
	talk.bodies[talk.n_asked++] = strdup(call->body ? call->body : "");
	s = find_said(call->head);
	lock_drop(&talk.lock);
	if (s.status)
		return loopback_answer(call, s.status, "", s.body,
				       strlen(s.body));
	for (int i = 0; i < 3000 && !atomic_load(&lb->is_stopping); i++)
		(void)usleep(10000);
	return LOOPBACK_CLOSE;
}

__attribute__((unused)) static void say(const char *line, int status,
					const char *body)
{
	lock_take(&talk.lock);
	talk.said[talk.n_said++] = (struct said){ line, status, body, 0 };
	lock_drop(&talk.lock);
}

/* The first n times. */
__attribute__((unused)) static void say_first(int n, const char *line,
					      int status, const char *body)
{
	say(line, status, body);
	talk.said[talk.n_said - 1].uses = n;
}

__attribute__((unused)) static void forget_said(void)
{
	lock_take(&talk.lock);
	talk.n_said = 0;
	lock_drop(&talk.lock);
}

__attribute__((unused)) static unsigned n_asked(void)
{
	unsigned n;

	lock_take(&talk.lock);
	n = (unsigned)talk.n_asked;
	lock_drop(&talk.lock);
	return n;
}

/* url(0, "/x"): where "/x" is at the server; four results live at once. */
__attribute__((unused)) static const char *url(const char *path)
{
	static char urls[4][256];
	static unsigned next;
	char *out = urls[next++ % 4];

	(void)snprintf(out, 256, "http://127.0.0.1:%d%s", server.port, path);
	return out;
}

static void ask_start(void)
{
	extern char **environ;
	struct http_options options = { .threads = 1 };
	struct err err = ERR_INIT;
	char name[128];

	for (char **e = environ; e && *e;) {
		size_t len = strcspn(*e, "=");

		if ((!strncmp(*e, "AWS_", 4) || !strncmp(*e, "AZURE_", 6) ||
		     !strncmp(*e, "IDENTITY_", 9)) &&
		    len < sizeof(name)) {
			memcpy(name, *e, len);
			name[len] = '\0';
			unsetenv(name);
			e = environ;
			continue;
		}
		e++;
	}
	setenv("HOME", "/nonexistent", 1);
	loopback_start(&server, serve);
	cr_assert(http_engine_new(&engine, &options, &err) == 0);
}

static void ask_stop(void)
{
	http_engine_free(engine);
	loopback_stop(&server);
	for (size_t i = 0; i < talk.n_asked; i++) {
		free(talk.heads[i]);
		free(talk.bodies[i]);
	}
}

/* As an exchange does: looks again while it is being asked for. */
static int await(struct cred_source *src, struct cred *out, struct err *err)
{
	int r = -EAGAIN;

	for (int i = 0; i < 6000 && r == -EAGAIN; i++) {
		if (i)
			(void)usleep(5000);
		err_clear(err);
		r = cred_source_get(src, out, err);
	}
	return r;
}

__attribute__((unused)) static void has_keys(struct cred_source *src,
					     const char *id, const char *secret,
					     const char *token)
{
	struct err err = ERR_INIT;
	struct cred cred;
	int r = await(src, &cred, &err);

	cr_assert(r == 0, "%d: %s", r, err.text);
	cr_assert(cred.kind == CRED_KEYS);
	cr_assert(!strcmp(cred.access_key_id, id), "%s", cred.access_key_id);
	cr_assert(!strcmp(cred.secret_key, secret));
	cr_assert(token ? cred.token && !strcmp(cred.token, token) :
			  !cred.token);
	cred_release(&cred);
}

/* The text is exactly so. */
__attribute__((unused)) static void fails(struct cred_source *src, int want,
					  const char *text)
{
	struct err err = ERR_INIT;
	struct cred cred;
	int r = await(src, &cred, &err);

	cr_assert(r == want, "%d: %s", r, err.text);
	cr_assert(!strcmp(err.text, text), "%s", err.text);
	cr_assert(err.class == ERR_AUTH);
}

/* Was the nth request (from 0) so?  Headers end in "\r\n". */
__attribute__((unused)) static bool asked(unsigned n, const char *in_head,
					  const char *in_body)
{
	bool yes;

	lock_take(&talk.lock);
	yes = n < talk.n_asked && strcasestr(talk.heads[n], in_head) &&
	      strstr(talk.bodies[n], in_body);
	if (!yes && n < talk.n_asked)
		fprintf(stderr, "%s%s\n", talk.heads[n], talk.bodies[n]);
	lock_drop(&talk.lock);
	return yes;
}

#endif
