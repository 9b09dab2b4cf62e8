/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many writers of one catalog in a local directory, as processes and as
 * threads: of those who create the same record one wins, no change of a head
 * is lost, and a reader beside them never sees half of anything.
 */
#include <config.h>
#include "fs/dataset/catalog_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "tests/tap.h"

#define WRITERS 6
#define VERSIONS 60	/* that all of them create */
#define CHANGES 15	/* of the head, by each */
#define DEADLINE_MS 120000
#define ID "Yb3kq0HnSHuGuLxg2ZfPzA"

static char dir[] = "/tmp/datasetfs-race-XXXXXX";

/* What a writer reports through a pipe or to its thread. */
struct tally {
	unsigned char won[VERSIONS + 1];
	bool has_name;
	bool failed;
};

static int store_open(struct catalog_store **store, struct err *err)
{
	cleanup_backend struct backend *b = NULL;
	cleanup_uri struct uri uri = { .text = NULL };
	struct backend_spec spec = { .location = &uri };
	char text[64];
	int r;

	(void)snprintf(text, sizeof(text), "file://%s", dir);
	r = uri_parse_location(&uri, text, err);
	if (r == 0)
		r = backend_open(&b, &spec, NULL, err);
	return r < 0 ? r : catalog_store_new(store, b, NULL, err);
}

static int version_bytes(struct buf *out, uint32_t number, unsigned writer,
			 struct err *err)
{
	char manifest[64];
	struct version v = {
		.number = number, .kind = VERSION_OSMO,
		.manifest_uri = manifest, .size = writer,
	};

	(void)snprintf(manifest, sizeof(manifest), "s3://w/%u.json", writer);
	return catalog_write_version(out, ID, &v, err);
}

/* One tag more, and a count. */
static int add_tag(void *arg, const void *bytes, size_t len, struct buf *out,
		   struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	struct tag *tags;
	int r;

	r = catalog_parse_head(&head, ID, bytes, len, err);
	if (r < 0)
		return r;
	tags = reallocarray(head.ds.tags, head.ds.n_tags + 1, sizeof(*tags));
	if (!tags)
		return err_nomem(err);
	head.ds.tags = tags;
	tags[head.ds.n_tags].version = 1;
	tags[head.ds.n_tags].name = strdup(arg);
	if (!tags[head.ds.n_tags++].name)
		return err_nomem(err);
	head.ds.stored_size++;
	return catalog_write_head(out, &head, bytes, len, err);
}

static int update(struct catalog_store *store, unsigned writer, uint32_t n,
		  struct err *err)
{
	char tag[32];
	int r;

	(void)snprintf(tag, sizeof(tag), "w%u-%u", writer, n);
	do {
		err_clear(err);
		r = catalog_store_update_head(store, ID, add_tag, tag,
					      clock_ms() + DEADLINE_MS, err);
	} while (r == -EBUSY);	/* others were faster; that is allowed */
	return r;
}

static int create_head(void *arg, const void *bytes, size_t len,
		       struct buf *out, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };

	(void)bytes;
	if (len > 0)
		return 1;
	(void)snprintf(head.ds.id, sizeof(head.ds.id), "%s", (char *)arg);
	head.ds.name = strdup("ds");
	return head.ds.name ? catalog_write_head(out, &head, "", 0, err) :
			      err_nomem(err);
}

/* Each writer has a dataset of its own that wants the name "ds". */
static int want_name(struct catalog_store *store, unsigned writer, bool *has,
		     struct err *err)
{
	char id[32];
	int r;

	(void)snprintf(id, sizeof(id), "writer%u", writer);
	r = catalog_store_update_head(store, id, create_head, id,
				      clock_ms() + DEADLINE_MS, err);
	if (r == 0)
		r = catalog_store_create_name(store, "ds", id,
					      clock_ms() + DEADLINE_MS, err);
	*has = r == 0;
	return r == -EEXIST ? 0 : r;
}

static int write_all(struct tally *tally, unsigned writer, struct err *err)
{
	struct catalog_store *store = NULL;
	int r = store_open(&store, err);

	if (r == 0)
		r = catalog_store_init(store, clock_ms() + DEADLINE_MS, err);
	if (r == 0)
		r = want_name(store, writer, &tally->has_name, err);
	for (uint32_t n = 1; r == 0 && n <= VERSIONS; n++) {
		cleanup_buf struct buf bytes = BUF_INIT;

		r = version_bytes(&bytes, n, writer, err);
		if (r < 0)
			break;
		r = catalog_store_create_version(store, ID, n, bytes.data,
						 bytes.len,
						 clock_ms() + DEADLINE_MS, err);
		tally->won[n] = r == 0;
		if (r == -EEXIST)
			r = 0;
		if (r == 0 && n % (VERSIONS / CHANGES) == 0)
			r = update(store, writer, n, err);
	}
	catalog_store_free(store);
	return r;
}

static void writer_run(struct tally *tally, unsigned writer)
{
	struct err err = ERR_INIT;

	if (write_all(tally, writer, &err) < 0) {
		fprintf(stderr, "writer %u: %s\n", writer, err.text);
		tally->failed = true;
	}
}

/* --- a reader beside them --------------------------------------------- */

static atomic_bool is_done;
static atomic_int n_looks;

static int look(struct catalog_store *store, uint64_t *size, size_t *versions,
		struct err *err)
{
	cleanup_catalog struct catalog *c = NULL;
	const struct dataset *ds;
	int r = catalog_store_load(store, &c, clock_ms() + DEADLINE_MS, err);

	if (r < 0)
		return r;
	ds = catalog_dataset(c, "counted");
	if (!ds || ds->stored_size < *size || ds->n_versions < *versions)
		return err_set(err, ERR_CORRUPT, EBADMSG, "it went back");
	*size = ds->stored_size;
	*versions = ds->n_versions;
	return 0;
}

static void *reader_run(void *arg)
{
	bool *failed = arg;
	struct catalog_store *store = NULL;
	uint64_t size = 0;
	size_t versions = 0;
	struct err err = ERR_INIT;
	int r = store_open(&store, &err);

	while (r == 0 && !atomic_load(&is_done)) {
		r = look(store, &size, &versions, &err);
		atomic_fetch_add(&n_looks, 1);
	}
	if (r < 0)
		fprintf(stderr, "reader: %s\n", err.text);
	*failed = r < 0;
	catalog_store_free(store);
	return NULL;
}

/* --- what came of it --------------------------------------------------- */

static int prepare(void)
{
	struct catalog_store *store = NULL;
	struct err err = ERR_INIT;
	char path[256];
	int r = store_open(&store, &err);

	if (r == 0)
		r = catalog_store_init(store, clock_ms() + DEADLINE_MS, &err);
	if (r == 0)
		r = catalog_store_create_name(store, "counted", ID,
					      clock_ms() + DEADLINE_MS, &err);
	catalog_store_free(store);
	(void)snprintf(path, sizeof(path), "%s/.datasetfs/catalog/datasets/" ID,
		       dir);
	if (r == 0)
		r = io_mkdir_p(path, 0755);
	(void)snprintf(path, sizeof(path), "%s/.datasetfs/catalog/datasets/" ID
		       "/head.json", dir);
	if (r == 0)
		r = io_replace_file(path, "{\"format\":1,\"id\":\"" ID "\","
				    "\"name\":\"counted\",\"type\":\"dataset\"}\n",
				    strlen("{\"format\":1,\"id\":\"" ID "\","
					   "\"name\":\"counted\",\"type\":\"dataset\"}\n"),
				    0644, false, &err);
	if (r < 0)
		fprintf(stderr, "prepare: %s\n", err.text);
	return r;
}

static void judge(const char *who, const struct tally tallies[WRITERS])
{
	unsigned odd = 0, wrong = 0, failed = 0, names = 0, holder = 0;
	struct catalog_store *store = NULL;
	cleanup_catalog struct catalog *c = NULL;
	struct err err = ERR_INIT;
	const struct dataset *ds = NULL, *named = NULL;
	char id[32] = "";

	if (store_open(&store, &err) == 0 &&
	    catalog_store_load(store, &c, clock_ms() + DEADLINE_MS, &err) == 0) {
		ds = catalog_dataset(c, "counted");
		named = catalog_dataset(c, "ds");
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		failed += tallies[w].failed;
		names += tallies[w].has_name;
		if (tallies[w].has_name)
			holder = w;
	}
	for (uint32_t n = 1; n <= VERSIONS; n++) {
		const struct version *v = ds ? dataset_version(ds, n) : NULL;
		unsigned winners = 0;

		for (unsigned w = 0; w < WRITERS; w++) {
			winners += tallies[w].won[n];
			if (tallies[w].won[n] && (!v || v->size != w))
				wrong++;
		}
		odd += winners != 1;
	}
	(void)snprintf(id, sizeof(id), "writer%u", holder);
	tap_ok(failed == 0, "%s: every writer ends well", who);
	tap_ok(odd == 0, "%s: each of %d versions has one winner (%u have not)",
	       who, VERSIONS, odd);
	tap_ok(wrong == 0, "%s: and what stands there is the winner's", who);
	tap_ok(names == 1 && named && strcmp(named->id, id) == 0,
	       "%s: one of %d datasets has the name (%u)", who, WRITERS, names);
	/* "latest" is derived. */
	tap_ok(ds && ds->n_tags == WRITERS * CHANGES + 1 &&
	       ds->stored_size == (uint64_t)WRITERS * CHANGES,
	       "%s: no change of the head is lost (%llu of %d)", who,
	       ds ? (unsigned long long)ds->stored_size : 0, WRITERS * CHANGES);
	catalog_store_free(store);
}

static void clear(void)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "rm -rf '%s/.datasetfs'", dir);
	if (system(line) != 0)
		fprintf(stderr, "%s failed\n", line);
}

struct thread_writer {
	pthread_t thread;
	unsigned number;
	struct tally *tally;
};

static void *thread_run(void *arg)
{
	struct thread_writer *w = arg;

	writer_run(w->tally, w->number);
	return NULL;
}

static void by_threads(void)
{
	static struct tally tallies[WRITERS];
	struct thread_writer writers[WRITERS];
	pthread_t reader;
	bool reader_failed = false;

	clear();
	if (!tap_ok(prepare() == 0, "threads: a catalog to begin with"))
		return;
	pthread_create(&reader, NULL, reader_run, &reader_failed);
	for (unsigned w = 0; w < WRITERS; w++) {
		writers[w].number = w;
		writers[w].tally = &tallies[w];
		pthread_create(&writers[w].thread, NULL, thread_run,
			       &writers[w]);
	}
	for (unsigned w = 0; w < WRITERS; w++)
		pthread_join(writers[w].thread, NULL);
	atomic_store(&is_done, true);
	pthread_join(reader, NULL);
	judge("threads", tallies);
	tap_ok(!reader_failed && atomic_load(&n_looks) > 0,
	       "threads: a reader beside them sees it only grow (%d looks)",
	       atomic_load(&n_looks));
}

/* Before any thread is started here: they do not come along with fork(). */
static void by_processes(void)
{
	static struct tally tallies[WRITERS];
	pid_t pids[WRITERS];
	int ends[WRITERS][2];

	clear();
	pid_t first = fork();

	if (first == 0)
		_exit(prepare() == 0 ? 0 : 1);
	int status = 1;

	if (waitpid(first, &status, 0) < 0 || status != 0) {
		tap_ok(false, "processes: a catalog to begin with");
		return;
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		if (pipe(ends[w]) < 0 || (pids[w] = fork()) < 0) {
			tap_ok(false, "processes: fork");
			return;
		}
		if (pids[w] == 0) {
			writer_run(&tallies[w], w);
			_exit(write(ends[w][1], &tallies[w],
				    sizeof(tallies[w])) ==
			      (ssize_t)sizeof(tallies[w]) ? 0 : 1);
		}
		close(ends[w][1]);
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		if (read(ends[w][0], &tallies[w], sizeof(tallies[w])) !=
		    (ssize_t)sizeof(tallies[w]))
			tallies[w].failed = true;
		close(ends[w][0]);
		waitpid(pids[w], &status, 0);
		tallies[w].failed |= status != 0;
	}
	judge("processes", tallies);
}

int main(void)
{
	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	by_processes();
	by_threads();
	clear();
	rmdir(dir);
	return tap_done();
}
