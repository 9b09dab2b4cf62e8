/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many writers, each with a backend of its own as in processes of their own:
 * what a condition promises must hold while they meet.
 */
#include <config.h>
#include "tests/backend/conformance.h"

#include <pthread.h>

#define N_WRITERS 32
#define N_ROUNDS 10
#define N_STEPS 4

struct writer {
	struct subject *s;
	struct backend *b;
	pthread_barrier_t *barrier;
	pthread_t thread;
	unsigned number;
	int round;
	int r;
	struct object_info info;
	unsigned n_won;
	unsigned n_lost;
	unsigned n_broken;
};

static void each_writer(struct subject *s, void *(*run)(void *),
			struct writer w[N_WRITERS], int round)
{
	pthread_barrier_t barrier;

	(void)pthread_barrier_init(&barrier, NULL, N_WRITERS);
	for (unsigned i = 0; i < N_WRITERS; i++) {
		w[i].s = s;
		w[i].barrier = &barrier;
		w[i].number = i;
		w[i].round = round;
		if (pthread_create(&w[i].thread, NULL, run, &w[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < N_WRITERS; i++)
		(void)pthread_join(w[i].thread, NULL);
	(void)pthread_barrier_destroy(&barrier);
}

static void *create(void *arg)
{
	struct writer *w = arg;
	char key[32], text[32];

	(void)snprintf(key, sizeof(key), "race/%d", w->round);
	(void)snprintf(text, sizeof(text), "writer %u", w->number);
	(void)pthread_barrier_wait(w->barrier);
	w->r = put_text(w->b, key, text, true, NULL, &w->info);
	return NULL;
}

static void create_races(struct subject *s, struct writer w[N_WRITERS])
{
	int n_good = 0;

	for (int round = 0; round < N_ROUNDS; round++) {
		struct object_info info;
		unsigned n_won = 0, n_lost = 0, winner = 0;
		char key[32], want[32], *got;

		each_writer(s, create, w, round);
		for (unsigned i = 0; i < N_WRITERS; i++) {
			n_won += w[i].r == 0;
			n_lost += w[i].r == -EEXIST;
			winner = w[i].r == 0 ? i : winner;
		}
		(void)snprintf(key, sizeof(key), "race/%d", round);
		(void)snprintf(want, sizeof(want), "writer %u", winner);
		got = get_text(s->b, key, &info);
		n_good += n_won == 1 && n_lost == N_WRITERS - 1 &&
			  !strcmp(got, want) &&
			  object_is(&info, object_validator(&w[winner].info));
		free(got);
	}
	check(n_good == N_ROUNDS,
	      "%d of %d races of %d to make one key: one wins, the rest are "
	      "told, its content stays",
	      n_good, N_ROUNDS, N_WRITERS);
}

/* Adds one to the number that is there. */
static void *count(void *arg)
{
	struct writer *w = arg;

	(void)pthread_barrier_wait(w->barrier);
	for (unsigned i = 0; i < N_STEPS;) {
		struct object_info before, info;
		char text[32], *now = get_text(w->b, "count", &before);
		int r;

		(void)snprintf(text, sizeof(text), "%d", atoi(now) + 1);
		free(now);
		r = put_text(w->b, "count", text, false,
			     object_validator(&before), &info);
		w->n_won += r == 0;
		w->n_lost += r == -ESTALE;
		w->n_broken += r != 0 && r != -ESTALE;
		i += r != -ESTALE;
	}
	return NULL;
}

static void count_race(struct subject *s, struct writer w[N_WRITERS])
{
	struct object_info info;
	unsigned n_won = 0, n_lost = 0, n_broken = 0;
	char *got;

	if (put_text(s->b, "count", "0", false, NULL, &info) < 0)
		abort();
	each_writer(s, count, w, 0);
	for (unsigned i = 0; i < N_WRITERS; i++) {
		n_won += w[i].n_won;
		n_lost += w[i].n_lost;
		n_broken += w[i].n_broken;
	}
	got = get_text(s->b, "count", &info);
	check(!n_broken && (unsigned)atoi(got) == n_won &&
		      n_won == N_WRITERS * N_STEPS,
	      "%d writers replace under a validator: %u of %d steps, %s counted, "
	      "%u told to read again",
	      N_WRITERS, n_won, N_WRITERS * N_STEPS, got, n_lost);
	free(got);
}

void test_races(struct subject *s)
{
	struct writer w[N_WRITERS];

	memset(w, 0, sizeof(w));
	for (unsigned i = 0; i < N_WRITERS; i++) {
		struct err err = ERR_INIT;

		w[i].b = must_open(&s->how, s->engine);
		must(backend_probe(w[i].b, soon(), &err), &err, "probe");
	}
	in_case(27);
	create_races(s, w);
	in_case(28);
	count_race(s, w);
	for (unsigned i = 0; i < N_WRITERS; i++)
		backend_put_ref(w[i].b);
}
