/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests at once: all of it arrives, and the first failure is told. */
#include <config.h>

#include "tests/unit/import_case.h"

#define DATASETS 40
#define VERSIONS 25

static struct import_case c;

static void setup(void)
{
	case_open(&c);
	for (int d = 0; d < DATASETS; d++) {
		char id[16], name[16], number[16];

		(void)snprintf(id, sizeof(id), "id%d", d);
		(void)snprintf(name, sizeof(name), "ds%d", d);
		case_dataset(&c, id, name);
		for (int v = 1; v <= VERSIONS; v++) {
			(void)snprintf(number, sizeof(number), "%d", v);
			case_version(&c, id, number, v % 5 ? "READY" :
				     "PENDING_DELETE", "x");
		}
		case_tag(&c, id, "1", "latest");
	}
}

static void teardown(void)
{
	case_close(&c);
}

TestSuite(import_write, .init = setup, .fini = teardown);

static void everything_is_there(void)
{
	cleanup_catalog struct catalog *now = place_load(c.place.store);

	cr_assert_eq(now->n_datasets, DATASETS);
	for (size_t i = 0; i < now->n_datasets; i++) {
		const struct dataset *ds = &now->datasets[i];
		size_t ready = 0;

		cr_expect_eq(ds->n_versions, VERSIONS);
		for (size_t k = 0; k < ds->n_versions; k++)
			ready += ds->versions[k].status == VERSION_READY;
		cr_expect_eq(ready, VERSIONS - VERSIONS / 5);
		cr_expect_eq(dataset_tag(ds, "latest")->version, 1);
	}
}

Test(import_write, everything_arrives)
{
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect_eq(c.report.versions[IMPORT_ADDED], DATASETS * VERSIONS);
	everything_is_there();
}

/* A file stands where a dataset's folder should: a store that fails there. */
Test(import_write, a_failure_names_its_version_and_the_next_import_goes_on)
{
	place_write(&c.place, PLACE_CATALOG "datasets/id7", "in the way");
	cr_assert_lt(case_apply(&c, 0), 0);
	cr_expect_not_null(strstr(c.err.text, "ds7:"), "%s", c.err.text);
	place_unlink(&c.place, PLACE_CATALOG "datasets/id7");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	everything_is_there();
}

Test(import_write, after_a_failure_no_name_shows_half_a_dataset)
{
	cleanup_catalog struct catalog *now = NULL;

	place_write(&c.place, PLACE_CATALOG "datasets/id7", "in the way");
	cr_assert_lt(case_apply(&c, 0), 0);
	now = place_load(c.place.store);
	cr_expect_eq(now->n_datasets, 0);
}
