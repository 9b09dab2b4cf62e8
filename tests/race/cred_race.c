/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that end and that are taken back, while many threads use them.
 * The server is AWS's STS and a store at once: it accepts the latest key only,
 * and makes the next one after every EACH uses.
 */
#include <config.h>

#include <stdlib.h>
#include "backends/auth/aws/aws.h"
#include "backends/auth/cred_remote.h"
#include "backends/base/lock.h"
#include "tests/backend/fixture.h"
#include "tests/loopback.h"
#include "tests/tap.h"

#define READERS 8
#define EACH 32
#define ROTATIONS 1000
#define WAITERS 100
#define ACTION "AssumeRoleWithWebIdentity"

/*
 * A hundred at once, and one fetch.
 */

static atomic_llong wall_s = 1700000000;
static atomic_uint n_fetched;
static pthread_barrier_t barrier;

static int64_t fake_s(void)
{
	return atomic_load(&wall_s);
}

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	char id[32];
	int r;

	(void)ctx;
	(void)engine;
	(void)usleep(20000);
	(void)snprintf(id, sizeof(id), "KEY%u",
		       atomic_fetch_add(&n_fetched, 1) + 1);
	r = cred_fill(out, "test", id, "s3cr3t", NULL, err);
	out->expires_s = clock_wall_s() + 900;
	return r;
}

static void *wait_for_it(void *arg)
{
	struct cred_source *src = arg;
	struct err err = ERR_INIT;
	struct cred cred;
	char *id = NULL;
	int r;

	(void)pthread_barrier_wait(&barrier);
	do {
		r = cred_source_get(src, &cred, &err);
		if (r == 0)
			id = strdup(cred.access_key_id);
		cred_release(&cred);
		if (r == -EAGAIN)
			(void)usleep(1000);
	} while (r == -EAGAIN);
	return id;
}

static unsigned n_with(struct cred_source *src, const char *want)
{
	pthread_t threads[WAITERS];
	unsigned n = 0;

	for (int i = 0; i < WAITERS; i++)
		if (pthread_create(&threads[i], NULL, wait_for_it, src))
			abort();
	for (int i = 0; i < WAITERS; i++) {
		void *id;

		(void)pthread_join(threads[i], &id);
		n += id && !strcmp(id, want);
		free(id);
	}
	return n;
}

static void single_flight(void)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch,
		.advisory_s = CRED_ADVISORY_S,
		.mandatory_s = CRED_MANDATORY_S,
	};
	struct cred_source *src;
	struct err err = ERR_INIT;
	unsigned n;

	clock_fake(NULL, fake_s);
	must(pthread_barrier_init(&barrier, NULL, WAITERS), &err, "barrier");
	must(cred_source_remote(&src, "test", &ops, NULL, NULL, &err), &err,
	     "source");
	n = n_with(src, "KEY1");
	tap_ok(n == WAITERS && atomic_load(&n_fetched) == 1,
	       "case 37: %u of %d threads get the first one, of %u fetch", n, WAITERS,
	       atomic_load(&n_fetched));
	atomic_fetch_add(&wall_s, 901);
	n = n_with(src, "KEY2");
	tap_ok(n == WAITERS && atomic_load(&n_fetched) == 2,
	       "case 37: %u of %d at its end the second, of %u fetches", n, WAITERS,
	       atomic_load(&n_fetched));
	cred_source_put_ref(src);
	clock_fake(NULL, NULL);
}

/*
 * Rotations under readers.
 */

/* lock guards all of it. */
static struct {
	struct lock lock;
	unsigned key;		/* the good one */
	unsigned n_uses;	/* of it */
	unsigned n_refused;
} store = { .lock = LOCK_INIT, .key = 1 };

static const char *reply_to(struct loopback_call *call, int *status, char *room,
			    size_t size)
{
	const char *credential = strstr(call->head, "Credential=KEY");
	unsigned key = credential ? (unsigned)atoi(credential + 14) : 0;

	*status = 200;
	lock_take(&store.lock);
	if (!strcmp(call->path, "/")) {
		(void)snprintf(room, size,
			       "<" ACTION "Response><" ACTION "Result>"
			       "<Credentials><AccessKeyId>KEY%u</AccessKeyId>"
			       "<SecretAccessKey>s</SecretAccessKey>"
			       "<SessionToken>t</SessionToken><Expiration>"
			       "2099-01-01T00:00:00Z</Expiration></Credentials>"
			       "</" ACTION "Result></" ACTION "Response>",
			       store.key);
	} else if (key == store.key) {
		(void)snprintf(room, size, "content of %s", call->path);
		if (++store.n_uses == EACH) {
			store.n_uses = 0;
			store.key++;
		}
	} else {
		*status = 400;
		store.n_refused++;
		(void)snprintf(room, size, "<Error><Code>ExpiredToken</Code>"
					   "</Error>");
	}
	lock_drop(&store.lock);
	return room;
}

static int serve(struct loopback *lb, struct loopback_call *call)
{
	char room[1024];
	int status;
	const char *body = reply_to(call, &status, room, sizeof(room));

	(void)lb;
	return loopback_answer(call, status,
			       "ETag: \"0123456789abcdef0123456789abcdef\"\r\n",
			       body, strlen(body));
}

static unsigned rotations(void)
{
	unsigned n;

	lock_take(&store.lock);
	n = store.key - 1;
	lock_drop(&store.lock);
	return n;
}

struct reading {
	pthread_t thread;
	struct backend *backend;
	unsigned n_good;
	unsigned n_wrong;
	unsigned n_failed;
	struct err err;		/* of the first failure */
};

static void *read_on(void *arg)
{
	struct reading *rd = arg;

	while (rotations() < ROTATIONS) {
		cleanup_buf struct buf out = BUF_INIT;
		struct err err = ERR_INIT;
		struct object_info info;
		int r = backend_sync_get_all(rd->backend, "a/b", 4096, &out,
					     &info, soon(), &err);

		if (r < 0 && !rd->n_failed++)
			err_copy(&rd->err, &err);
		else if (r == 0 && !strcmp(out.data, "content of /b/a/b"))
			rd->n_good++;
		else if (r == 0)
			rd->n_wrong++;
	}
	return NULL;
}

static void rotate(struct http_engine *engine, struct loopback *server,
		   const char *token_file)
{
	struct reading readers[READERS] = { { .backend = NULL } };
	struct err err = ERR_INIT;
	struct cred_source *creds;
	struct opening how = { .uri = "s3://b", .addressing = ADDRESSING_PATH };
	unsigned n_good = 0, n_wrong = 0, n_failed = 0;
	struct backend *backend;
	char url[64];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", server->port);
	setenv("AWS_ENDPOINT_URL_STS", url, 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token_file, 1);
	must(cred_source_web_identity(&creds, engine, &err), &err, "source");
	how.creds = creds;
	how.override_url = url;
	backend = must_open(&how, engine);
	cred_source_put_ref(creds);
	for (int i = 0; i < READERS; i++) {
		readers[i].backend = backend;
		if (pthread_create(&readers[i].thread, NULL, read_on,
				   &readers[i]))
			abort();
	}
	for (int i = 0; i < READERS; i++) {
		(void)pthread_join(readers[i].thread, NULL);
		n_good += readers[i].n_good;
		n_wrong += readers[i].n_wrong;
		n_failed += readers[i].n_failed;
		if (readers[i].n_failed)
			printf("# %s\n", readers[i].err.text);
	}
	backend_put_ref(backend);
	tap_ok(n_failed == 0 && n_wrong == 0 &&
		       n_good >= ROTATIONS * EACH - READERS,
	       "case 37: %d rotations under %d readers: %u reads, %u failed, %u wrong",
	       ROTATIONS, READERS, n_good, n_failed, n_wrong);
	tap_ok(store.n_refused >= ROTATIONS / 2,
	       "they did meet keys that were taken back: %u times",
	       store.n_refused);
}

int main(void)
{
	static struct loopback server;
	char token_file[] = "/tmp/cred_race.XXXXXX";
	int fd = mkstemp(token_file);
	struct http_options options = { .threads = 2 };
	struct http_engine *engine;
	struct err err = ERR_INIT;

	if (fd < 0 || write(fd, "JWT", 3) != 3)
		abort();
	single_flight();
	loopback_start(&server, serve);
	must(http_engine_new(&engine, &options, &err), &err, "engine");
	rotate(engine, &server, token_file);
	http_engine_free(engine);
	loopback_stop(&server);
	(void)close(fd);
	(void)unlink(token_file);
	return tap_done();
}
