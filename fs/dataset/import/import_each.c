/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_each.h"

#include <pthread.h>
#include <stdatomic.h>

#include "backends/base/lock.h"

struct import_each {
	import_each_fn run;
	void *arg;
	size_t n;
	atomic_size_t next;
	atomic_bool has_failed;
	struct lock lock;	/* guards r and err */
	int r;
	struct err err;
};

static void *each_work(void *arg)
{
	struct import_each *each = arg;
	size_t i;

	while (!atomic_load(&each->has_failed) &&
	       (i = atomic_fetch_add(&each->next, 1)) < each->n) {
		struct err err = ERR_INIT;
		int r = each->run(each->arg, i, &err);

		if (r >= 0)
			continue;
		lock_take(&each->lock);
		if (each->r == 0) {
			each->r = r;
			err_copy(&each->err, &err);
		}
		lock_drop(&each->lock);
		atomic_store(&each->has_failed, true);
	}
	return NULL;
}

int import_each(size_t n, unsigned at_once, import_each_fn run, void *arg,
		struct err *err)
{
	struct import_each each = { .run = run, .arg = arg, .n = n };
	pthread_t threads[IMPORT_EACH_MAX];
	size_t started = 0;

	if (at_once > IMPORT_EACH_MAX)
		at_once = IMPORT_EACH_MAX;
	lock_init(&each.lock);
	/* This thread works too. */
	while (started + 1 < at_once && started + 1 < n &&
	       pthread_create(&threads[started], NULL, each_work, &each) == 0)
		started++;
	(void)each_work(&each);
	while (started > 0)
		(void)pthread_join(threads[--started], NULL);
	lock_release(&each.lock);
	if (each.r < 0)
		err_copy(err, &each.err);
	return each.r;
}
