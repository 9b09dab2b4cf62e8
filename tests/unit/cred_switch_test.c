/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct cred_source *fixed(const char *name, const char *id)
{
	struct cred_source *src;
	struct err err = ERR_INIT;

	cr_assert(cred_source_static(&src, name, id, "s3cr3t", NULL, &err) ==
		  0);
	return src;
}

static struct cred_source *switch_of(struct cred_source *first)
{
	struct cred_source *sw;
	struct err err = ERR_INIT;

	cr_assert(cred_source_switch(&sw, "bucket x", first, &err) == 0);
	cred_source_put_ref(first);
	return sw;
}

Test(cred_switch, holders_get_the_next_credential_with_another_generation)
{
	struct cred_source *sw = switch_of(fixed("one", "AK1"));
	struct cred_source *two = fixed("two", "AK2");
	struct err err = ERR_INIT;
	struct cred a, b;

	cr_assert_str_eq(cred_source_name(sw), "bucket x");
	cr_assert_eq(cred_source_get(sw, &a, &err), 0);
	cr_assert_str_eq(a.access_key_id, "AK1");
	cred_source_switch_to(sw, two);
	cred_source_put_ref(two);
	cr_assert_eq(cred_source_get(sw, &b, &err), 0);
	cr_assert_str_eq(b.access_key_id, "AK2");
	cr_assert_neq(a.generation, b.generation);
	/* A copy that was given stays good. */
	cr_assert_str_eq(a.access_key_id, "AK1");

	/* What was refused is of a source that is gone. */
	cred_source_refused(sw, a.generation);
	cred_release(&a);
	cr_assert_eq(cred_source_get(sw, &a, &err), 0);
	cr_assert_eq(a.generation, b.generation);
	cred_release(&a);
	cred_release(&b);
	cred_source_put_ref(sw);
}

Test(cred_switch, a_source_that_has_none_says_so_through_it)
{
	struct cred_source *none, *sw;
	struct err err = ERR_INIT;
	struct cred cred;

	cr_assert(cred_source_chain(&none, NULL, 0, &err) == 0);
	sw = switch_of(none);
	cr_assert_eq(cred_source_get(sw, &cred, &err), -EACCES);
	cr_assert_eq(err.class, ERR_AUTH);
	cred_source_put_ref(sw);
}
