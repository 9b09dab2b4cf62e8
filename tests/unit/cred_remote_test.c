/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred_remote.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"

static atomic_llong now_ms = 1000000;
static atomic_llong now_s = 1700000000;

static int64_t fake_ms(void)
{
	return atomic_load(&now_ms);
}

static int64_t fake_s(void)
{
	return atomic_load(&now_s);
}

static void pass(int64_t seconds)
{
	atomic_fetch_add(&now_ms, seconds * 1000);
	atomic_fetch_add(&now_s, seconds);
}

static void setup(void)
{
	clock_fake(fake_ms, fake_s);
}

/* Whom the source asks; lock guards all of it. */
struct oracle {
	struct lock lock;
	struct cond cond;
	bool is_hanging;
	bool is_same;		/* always the first key */
	int r;
	int64_t life_s;
	unsigned n_asked;
	unsigned n_answered;
};

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	struct oracle *o = ctx;
	char id[32];
	int r;

	(void)engine;
	lock_take(&o->lock);
	o->n_asked++;
	while (o->is_hanging)
		cond_wait(&o->cond, &o->lock);
	(void)snprintf(id, sizeof(id), "KEY%u", o->is_same ? 1 : o->n_asked);
	r = o->r;
	if (r < 0)
		(void)err_set(err, r == -EIO ? ERR_RETRY : ERR_AUTH, -r,
			      "the oracle is ill");
	else
		r = cred_fill(out, "oracle", id, "s3cr3t", NULL, err);
	if (r == 0 && o->life_s)
		out->expires_s = clock_wall_s() + o->life_s;
	o->n_answered++;
	lock_drop(&o->lock);
	return r;
}

static const struct cred_remote_ops plain = {
	.fetch = fetch,
	.advisory_s = CRED_ADVISORY_S,
	.mandatory_s = CRED_MANDATORY_S,
};
static const struct cred_remote_ops stable = {
	.fetch = fetch,
	.advisory_s = CRED_ADVISORY_S,
	.mandatory_s = CRED_MANDATORY_S,
	.is_stable = true,
};

static struct cred_source *source(struct oracle *o,
				  const struct cred_remote_ops *ops)
{
	struct cred_source *src;
	struct err err = ERR_INIT;

	lock_init(&o->lock);
	cond_init(&o->cond);
	cr_assert(cred_source_remote(&src, "oracle", ops, o, NULL, &err) == 0);
	return src;
}

static void set_r(struct oracle *o, int r)
{
	lock_take(&o->lock);
	o->r = r;
	lock_drop(&o->lock);
}

static void set_hanging(struct oracle *o, bool is_hanging)
{
	lock_take(&o->lock);
	o->is_hanging = is_hanging;
	cond_broadcast(&o->cond);
	lock_drop(&o->lock);
}

static unsigned asked(struct oracle *o)
{
	unsigned n;

	lock_take(&o->lock);
	n = o->n_asked;
	lock_drop(&o->lock);
	return n;
}

/* The key's name, or the errno's, as it is now. */
static int look(struct cred_source *src, char id[32], struct err *err)
{
	struct cred cred;
	int r;

	err_clear(err);
	r = cred_source_get(src, &cred, err);
	(void)snprintf(id, 32, "%s", r == 0 ? cred.access_key_id : "");
	cred_release(&cred);
	return r;
}

/* Until the fetch that was started is over: in real time, moments. */
static int look_again(struct cred_source *src, char id[32], struct err *err)
{
	int r = look(src, id, err);

	for (int i = 0; i < 5000 && r == -EAGAIN; i++) {
		(void)usleep(1000);
		r = look(src, id, err);
	}
	return r;
}

/* Looks until it is KEYn; a fetch in the background needs moments. */
static void becomes(struct cred_source *src, const char *want)
{
	struct err err = ERR_INIT;
	char id[32] = "";

	for (int i = 0; i < 5000 && strcmp(id, want); i++) {
		(void)look(src, id, &err);
		(void)usleep(1000);
	}
	cr_assert(!strcmp(id, want), "%s, not %s: %s", id, want, err.text);
}

static void was_asked(struct oracle *o, unsigned n)
{
	for (int i = 0; i < 5000 && asked(o) < n; i++)
		(void)usleep(1000);
	cr_assert(asked(o) == n, "asked %u times, not %u", asked(o), n);
}

/* One look starts a fetch; ends when that has failed. */
static void fails_once(struct cred_source *src, struct oracle *o, unsigned n)
{
	struct err err = ERR_INIT;
	char id[32];

	(void)look(src, id, &err);
	was_asked(o, n);
	(void)usleep(20000);
}

TestSuite(cred_remote, .init = setup);

Test(cred_remote, nothing_is_asked_before_somebody_wants_it)
{
	struct oracle o = { .life_s = 3600, .is_hanging = true };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	(void)usleep(20000);
	cr_assert(asked(&o) == 0);
	cr_assert(look(src, id, &err) == -EAGAIN && err.class == ERR_RETRY);
	cr_assert(!strcmp(err.text, "oracle: asking for a credential"), "%s",
		  err.text);
	for (int i = 0; i < 100; i++)
		cr_assert(look(src, id, &err) == -EAGAIN);
	was_asked(&o, 1);
	set_hanging(&o, false);
	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(!strcmp(id, "KEY1"));
	cr_assert(asked(&o) == 1);
	cred_source_put_ref(src);
}

Test(cred_remote, the_old_one_serves_while_it_is_renewed_ahead_of_time)
{
	struct oracle o = { .life_s = 6 * 3600 };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	/* 15 minutes less or more 10 %: not yet, then certainly. */
	pass(6 * 3600 - 15 * 60 - 91);
	cr_assert(look(src, id, &err) == 0);
	(void)usleep(20000);
	cr_assert(asked(&o) == 1);
	set_hanging(&o, true);
	pass(182);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	was_asked(&o, 2);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	set_hanging(&o, false);
	becomes(src, "KEY2");
	cr_assert(asked(&o) == 2);
	cred_source_put_ref(src);
}

Test(cred_remote, a_short_life_is_renewed_in_its_last_third)
{
	struct oracle o = { .life_s = 900 };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	pass(600 - 31);
	cr_assert(look(src, id, &err) == 0);
	(void)usleep(20000);
	cr_assert(asked(&o) == 1);
	pass(62);
	cr_assert(look(src, id, &err) == 0);
	becomes(src, "KEY2");
	cred_source_put_ref(src);
}

Test(cred_remote, shortly_before_the_end_all_wait_but_not_for_ever)
{
	struct oracle o = { .life_s = 6 * 3600 };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	set_hanging(&o, true);
	pass(6 * 3600 - 9 * 60 + 1);
	cr_assert(look(src, id, &err) == -EAGAIN);
	was_asked(&o, 2);
	pass(4);
	cr_assert(look(src, id, &err) == -EAGAIN);
	pass(1);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	/* At its end there is nothing left to use. */
	pass(9 * 60);
	cr_assert(look(src, id, &err) == -EAGAIN);
	set_hanging(&o, false);
	cr_assert(look_again(src, id, &err) == 0 && !strcmp(id, "KEY2"));
	cred_source_put_ref(src);
}

Test(cred_remote, a_failure_leaves_what_is_good_and_is_told_at_its_end)
{
	struct oracle o = { .life_s = 3600 };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	set_r(&o, -EIO);
	pass(3600 - 300);
	fails_once(src, &o, 2);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	/* The back-off is at most a minute. */
	for (unsigned n = 3; n < 8; n++) {
		pass(60);
		fails_once(src, &o, n);
	}
	cr_assert(look(src, id, &err) == -EACCES && err.class == ERR_AUTH);
	cr_assert(!strcmp(err.text, "the oracle is ill"), "%s", err.text);
	set_r(&o, 0);
	pass(60);
	becomes(src, "KEY8");
	cred_source_put_ref(src);
}

Test(cred_remote, what_may_pass_is_waited_for_and_then_told)
{
	struct oracle o = { .r = -EIO };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	fails_once(src, &o, 1);
	cr_assert(look(src, id, &err) == -EAGAIN);
	cr_assert(!strcmp(err.text, "oracle: asking for a credential, no "
				    "success yet: the oracle is ill"),
		  "%s", err.text);
	pass(20);
	fails_once(src, &o, 2);
	cr_assert(look(src, id, &err) == -EAGAIN);
	pass(10);
	fails_once(src, &o, 3);
	cr_assert(look(src, id, &err) == -EACCES);
	cred_source_put_ref(src);
}

Test(cred_remote, a_refusal_is_told_at_once)
{
	struct oracle o = { .r = -EACCES };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == -EACCES);
	cr_assert(err.class == ERR_AUTH && !strcmp(err.text, "the oracle is ill"));
	cr_assert(asked(&o) == 1);
	/* It may have been granted meanwhile. */
	set_r(&o, 0);
	pass(1);
	becomes(src, "KEY2");
	cred_source_put_ref(src);
}

Test(cred_remote, where_nobody_has_one_a_chain_goes_on_and_remembers)
{
	struct oracle o = { .r = -ENOENT };
	struct cred_source *remote = source(&o, &plain);
	struct cred_source *sources[2] = { cred_source_get_ref(remote) };
	struct cred_source *chain;
	struct err err = ERR_INIT;
	struct cred cred;
	char id[32];

	cr_assert(cred_source_anonymous(&sources[1], &err) == 0);
	cr_assert(cred_source_chain(&chain, sources, 2, &err) == 0);
	cr_assert(look_again(chain, id, &err) == 0);
	cr_assert(!strcmp(cred_source_name(chain), "anonymous"));
	cr_assert(cred_source_get(chain, &cred, &err) == 0);
	cr_assert(cred.kind == CRED_ANONYMOUS);

	/* Refused unsigned: the chain looks again, but nobody is asked. */
	cred_source_refused(chain, cred.generation);
	cr_assert(look(chain, id, &err) == 0);
	pass(299);
	cr_assert(look(remote, id, &err) == -EACCES);
	(void)usleep(20000);
	cr_assert(asked(&o) == 1);
	pass(1);
	set_r(&o, 0);
	becomes(remote, "KEY2");
	cred_source_put_ref(chain);
	cred_source_put_ref(remote);
}

Test(cred_remote, what_the_store_refuses_is_asked_for_anew)
{
	struct oracle o = { .life_s = 3600 };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	struct cred cred;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(cred_source_get(src, &cred, &err) == 0);
	cred_source_refused(src, cred.generation + 1);
	cr_assert(look(src, id, &err) == 0);
	set_hanging(&o, true);
	cred_source_refused(src, cred.generation);
	cr_assert(look(src, id, &err) == -EAGAIN);
	set_hanging(&o, false);
	cr_assert(look_again(src, id, &err) == 0 && !strcmp(id, "KEY2"));
	/* A late refusal of the old one. */
	cred_source_refused(src, cred.generation);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY2"));
	cred_release(&cred);
	cred_source_put_ref(src);
}

Test(cred_remote, a_refused_one_that_comes_again_is_not_asked_for_at_once)
{
	struct oracle o = { .life_s = 3600, .is_same = true };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	struct cred a;
	struct cred b;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(cred_source_get(src, &a, &err) == 0);
	cred_source_refused(src, a.generation);
	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(cred_source_get(src, &b, &err) == 0);
	cr_assert(a.generation == b.generation);
	cr_assert(asked(&o) == 2);
	cred_source_refused(src, a.generation);
	pass(29);
	cr_assert(look(src, id, &err) == 0);
	cr_assert(asked(&o) == 2);
	pass(1);
	cred_source_refused(src, a.generation);
	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(asked(&o) == 3);
	cred_release(&a);
	cred_release(&b);
	cred_source_put_ref(src);
}

/* KEYn, refused as soon as it is there; is it asked for the next one? */
static bool asks_on(struct cred_source *src, struct oracle *o, bool accepted)
{
	struct err err = ERR_INIT;
	struct cred cred;
	unsigned before;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(cred_source_get(src, &cred, &err) == 0);
	if (accepted)
		cred_source_accepted(src, cred.generation);
	before = asked(o);
	cred_source_refused(src, cred.generation);
	cred_release(&cred);
	(void)look(src, id, &err);
	for (int i = 0; i < 50 && asked(o) == before; i++)
		(void)usleep(1000);
	return asked(o) > before;
}

Test(cred_remote, a_store_that_accepts_none_is_given_new_ones_slowly)
{
	struct oracle o = { .life_s = 3600 };
	struct cred_source *src = source(&o, &plain);

	for (int i = 0; i < 50; i++)
		cr_assert(asks_on(src, &o, true));
	/* The last one that was accepted, and three that were not. */
	for (int i = 0; i < CRED_REFUSED_FREE - 1; i++)
		cr_assert(asks_on(src, &o, false));
	cr_assert(!asks_on(src, &o, false));
	pass(1);
	cr_assert(!asks_on(src, &o, false));
	cred_source_put_ref(src);
}

Test(cred_remote, a_denial_counts_only_against_an_old_one)
{
	struct oracle o = { .life_s = 3600 };
	struct cred_source *src = source(&o, &plain);
	struct err err = ERR_INIT;
	struct cred cred;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	cr_assert(cred_source_get(src, &cred, &err) == 0);
	pass(59);
	cred_source_denied(src, cred.generation);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	pass(1);
	cred_source_denied(src, cred.generation);
	cr_assert(look_again(src, id, &err) == 0 && !strcmp(id, "KEY2"));
	cr_assert(asked(&o) == 2);
	cred_release(&cred);
	cred_source_put_ref(src);
}

Test(cred_remote, a_stable_one_is_used_beyond_its_end)
{
	struct oracle o = { .life_s = 3600 };
	struct cred_source *src = source(&o, &stable);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0);
	set_r(&o, -EIO);
	pass(3601);
	fails_once(src, &o, 2);
	cr_assert(look(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	pass(CRED_STRETCH_MIN_S - 60);
	fails_once(src, &o, 3);
	pass(CRED_STRETCH_MIN_S - 60);
	cr_assert(look_again(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	cred_source_put_ref(src);
}

Test(cred_remote, an_expired_answer_counts_only_where_it_is_stable)
{
	struct oracle o = { .life_s = -10 };
	struct oracle p = { .life_s = -10 };
	struct cred_source *src = source(&o, &stable);
	struct cred_source *other = source(&p, &plain);
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(look_again(src, id, &err) == 0 && !strcmp(id, "KEY1"));
	cr_assert(look(src, id, &err) == 0);
	pass(29);
	cr_assert(look(src, id, &err) == 0);
	(void)usleep(20000);
	cr_assert(asked(&o) == 1);
	fails_once(other, &p, 1);
	pass(31);
	fails_once(other, &p, 2);
	pass(31);
	fails_once(other, &p, 3);
	(void)look(other, id, &err);
	cr_assert(strstr(err.text, "oracle: the answer's credential has expired "
				   "already (is this machine's clock right?)"),
		  "%s", err.text);
	cred_source_put_ref(src);
	cred_source_put_ref(other);
}

Test(cred_remote, who_hangs_holds_nobody_up_and_the_threads_are_bounded)
{
	enum { N = CRED_FETCHES_MAX + 1 };
	struct oracle hung = { .is_hanging = true, .life_s = 3600 };
	struct oracle fine = { .life_s = 3600 };
	struct cred_source *src[N];
	struct cred_source *good;
	struct err err = ERR_INIT;
	char id[32];

	for (int i = 0; i < N; i++)
		cr_assert(cred_source_remote(&src[i], "hung", &plain, &hung,
					     NULL, &err) == 0);
	lock_init(&hung.lock);
	cond_init(&hung.cond);
	good = source(&fine, &plain);
	for (int i = 0; i < CRED_FETCHES_MAX - 1; i++)
		cr_assert(look(src[i], id, &err) == -EAGAIN);
	cr_assert(look_again(good, id, &err) == 0);

	for (int i = 0; i < N; i++)
		cr_assert(look(src[i], id, &err) == -EAGAIN);
	was_asked(&hung, CRED_FETCHES_MAX);
	set_hanging(&hung, false);
	for (int i = 0; i < N; i++)
		cr_assert(look_again(src[i], id, &err) == 0);
	was_asked(&hung, N);
	for (int i = 0; i < N; i++)
		cred_source_put_ref(src[i]);
	cred_source_put_ref(good);
}

/* The engine stays until whom it asks for has been told that it ends. */
static int fetch_until_stopped(void *ctx, struct http_engine *engine,
			       struct cred *out, struct err *err)
{
	atomic_int *state = ctx;

	(void)out;
	atomic_store(state, 1);
	while (!http_engine_is_stopping(engine))
		(void)usleep(1000);
	(void)usleep(50000);
	atomic_store(state, 2);
	return err_set(err, ERR_RETRY, ECANCELED, "canceled");
}

Test(cred_remote, an_engine_is_not_freed_under_a_fetch)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch_until_stopped,
	};
	struct http_engine *engine;
	struct http_options options = { .threads = 1 };
	struct cred_source *src;
	struct err err = ERR_INIT;
	atomic_int state = 0;
	char id[32];

	cr_assert(http_engine_new(&engine, &options, &err) == 0);
	cr_assert(cred_source_remote(&src, "x", &ops, &state, engine, &err) ==
		  0);
	cr_assert(look(src, id, &err) == -EAGAIN);
	while (atomic_load(&state) == 0)
		(void)usleep(1000);
	cred_source_put_ref(src);
	http_engine_free(engine);
	cr_assert(atomic_load(&state) == 2);
}

Test(cred_remote, its_state_is_told_and_nobody_asked)
{
	struct oracle o = { .life_s = 3600 };
	struct cred_source *src = source(&o, &plain);
	struct cred_source *sw;
	struct cred_state state;
	struct err err = ERR_INIT;
	char id[32];

	cr_assert(cred_source_switch(&sw, "bucket x", src, &err) == 0);
	cred_source_state(sw, &state);
	cr_assert(!strcmp(state.name, "oracle") && !state.is_known);
	cr_assert(asked(&o) == 0);
	cr_assert(look_again(src, id, &err) == 0);
	cred_source_state(sw, &state);
	cr_assert(state.is_known && state.expires_s == fake_s() + 3600);
	cr_assert(!*state.problem);
	set_r(&o, -EIO);
	pass(3500);
	fails_once(src, &o, 2);
	cred_source_state(sw, &state);
	cr_assert(state.is_known && !strcmp(state.problem, "the oracle is ill"),
		  "%s", state.problem);
	cred_source_put_ref(sw);
	cred_source_put_ref(src);
}
