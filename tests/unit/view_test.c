/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket's last catalog, over a registry with one bucket in a directory. */
#include <config.h>
#include "fs/mount/nodes/view.h"

#include <stdatomic.h>
#include <unistd.h>
#include "backends/base/clock.h"
#include "tests/unit/mount_fixture.h"

static char dir[] = "/tmp/datasetfs-view-test-XXXXXX";
static char location[128], cache[128];
static struct settings_bucket settings_b;
static struct settings settings;
static struct buckets *buckets;
static struct view *view;
static atomic_int changes;
static struct err err;

static void changed(void *arg, struct bucket *b, struct catalog *before,
		    struct catalog *now)
{
	cr_assert_eq(arg, &changes);
	cr_assert_eq(b, buckets_at(buckets, 0));
	cr_assert_neq(before, now);
	atomic_fetch_add(&changes, 1);
}

static void setup(void)
{
	static const struct buckets_options opt = { .sync_only = false };

	cr_assert_not_null(mkdtemp(dir));
	snprintf(location, sizeof(location), "file://%s", dir);
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	settings_b = (struct settings_bucket){
		.name = (char *)"b", .dataset_path = location,
		.mode_text = (char *)"read-only", .region = (char *)"us-east-1",
		.description = (char *)"", .uid = (uid_t)-1, .gid = (gid_t)-1,
		.access = -1, .has_location = true,
	};
	cr_assert_eq(uri_parse_location(&settings_b.location, location, &err),
		     0, "%s", err.text);
	settings = (struct settings){
		.path = (char *)"x", .buckets = &settings_b, .n_buckets = 1,
		.cache_dir = cache,
	};
	cr_assert_eq(buckets_new(&buckets, &settings, &opt, &err), 0, "%s",
		     err.text);
	cr_assert_eq(view_new(&view, buckets_at(buckets, 0), changed, &changes,
			      &err), 0);
}

static void teardown(void)
{
	char line[128];

	buckets_free(buckets);
	view_free(view);
	uri_release(&settings_b.location);
	snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(view, .init = setup, .fini = teardown);

struct answer {
	atomic_int came;
	int r;
	struct catalog *catalog;
};

static void done(void *arg, int r, struct catalog *catalog,
		 const struct err *e)
{
	struct answer *answer = arg;

	(void)e;
	answer->r = r;
	answer->catalog = r == 0 ? catalog_get(catalog) : NULL;
	atomic_store(&answer->came, 1);
}

static struct catalog *fresh(void)
{
	struct answer answer = { .r = -1 };
	int64_t end = clock_ms() + 10000;

	view_fresh(view, done, &answer);
	while (!atomic_load(&answer.came) && clock_ms() < end)
		usleep(1000);
	cr_assert(atomic_load(&answer.came));
	cr_assert_eq(answer.r, 0);
	return answer.catalog;
}

Test(view, knows_nothing_until_somebody_asks_and_then_the_same)
{
	struct catalog *c, *recent, *known;

	cr_assert_null(view_known(view));
	cr_assert_null(view_recent(view));
	c = fresh();
	recent = view_recent(view);
	known = view_known(view);
	cr_assert_eq(recent, c);
	cr_assert_eq(known, c);
	cr_assert_eq(atomic_load(&changes), 0);
	catalog_put(c);
	catalog_put(recent);
	catalog_put(known);
}

Test(view, one_catalog_has_one_listing_that_readers_find_again)
{
	struct catalog *c = fresh();
	struct listing *a, *b, *old;

	cr_assert_eq(view_listing(view, c, &a, &err), 0);
	cr_assert_eq(view_listing(view, c, &b, &err), 0);
	cr_assert_eq(a, b);
	cr_assert_gt(a->generation, 0);
	old = view_listing_old(view, a->generation);
	cr_assert_eq(old, a);
	cr_assert_null(view_listing_old(view, a->generation + 1));
	listing_put(a);
	listing_put(b);
	listing_put(old);
	catalog_put(c);
}

Test(view, listings_of_earlier_catalogs_stay_for_a_while)
{
	uint32_t generations[VIEW_LISTINGS + 1];

	for (size_t i = 0; i <= VIEW_LISTINGS; i++) {
		struct catalog *c = fixture_catalog("c", 1);
		struct listing *l;

		cr_assert_eq(view_listing(view, c, &l, &err), 0);
		generations[i] = l->generation;
		listing_put(l);
		catalog_put(c);
	}
	cr_assert_null(view_listing_old(view, generations[0]));
	for (size_t i = 1; i <= VIEW_LISTINGS; i++) {
		struct listing *l = view_listing_old(view, generations[i]);

		cr_assert_not_null(l);
		listing_put(l);
	}
}
