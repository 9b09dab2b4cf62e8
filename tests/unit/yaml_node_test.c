/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_node.c, yaml_load.c */
#include <config.h>
#include "fs/config/yaml_node.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

static struct yaml_node *root;
static struct yaml_position at;

static int parse(const char *text)
{
	struct err err = ERR_INIT;

	if (root)
		yaml_node_free(root);
	root = NULL;
	return yaml_node_parse(&root, text, strlen(text), &at, &err);
}

static void teardown(void)
{
	if (root)
		yaml_node_free(root);
	root = NULL;
}

TestSuite(yaml_node, .fini = teardown);

static const char *text_of(const char *key)
{
	const struct yaml_node *node = yaml_node_get(root, key);

	return node && node->kind == NODE_SCALAR ? node->text : NULL;
}

Test(yaml_node, scalars_keep_their_text)
{
	cr_assert_eq(parse("a: 0750\nb: yes\nc: '12:30'\nd: \"x\\ty\"\n"), 0);
	cr_assert_str_eq(text_of("a"), "0750");
	cr_assert_str_eq(text_of("b"), "yes");
	cr_assert_str_eq(text_of("c"), "12:30");
	cr_assert_str_eq(text_of("d"), "x\ty");
}

Test(yaml_node, positions_count_from_one)
{
	cr_assert_eq(parse("a:\n  b: c\n"), 0);
	cr_assert_eq(yaml_node_item(yaml_node_get(root, "a"), "b")->at.line, 2);
	cr_assert_eq(yaml_node_item(yaml_node_get(root, "a"), "b")->at.column,
		     3);
}

Test(yaml_node, json_is_yaml)
{
	cr_assert_eq(parse("{\"a\": {\"b\": [1, null, \"x\"]}}"), 0);
	cr_assert_eq(yaml_node_get(yaml_node_get(root, "a"), "b")->n_items, 3);
}

Test(yaml_node, null_is_what_yaml_calls_so_and_quotes_make_text)
{
	cr_assert_eq(parse("a:\nb: ~\nc: null\nd: 'null'\ne: ''\n"), 0);
	cr_assert(yaml_node_is_null(yaml_node_get(root, "a")));
	cr_assert(yaml_node_is_null(yaml_node_get(root, "b")));
	cr_assert(yaml_node_is_null(yaml_node_get(root, "c")));
	cr_assert_not(yaml_node_is_null(yaml_node_get(root, "d")));
	cr_assert_not(yaml_node_is_null(yaml_node_get(root, "e")));
	cr_assert(yaml_node_is_null(NULL));
}

Test(yaml_node, a_key_that_stands_twice_is_marked)
{
	cr_assert_eq(parse("a: 1\na: 2\n"), 0);
	cr_assert_eq(root->n_items, 2);
	cr_assert_not(root->items[0].duplicate);
	cr_assert(root->items[1].duplicate);
	cr_assert_str_eq(text_of("a"), "1");
}

Test(yaml_node, aliases_are_copies_and_merge_is_done)
{
	cr_assert_eq(parse("base: &b {x: 1, y: 2}\nd: {<<: *b, y: 3}\n"), 0);
	cr_assert_str_eq(yaml_node_get(yaml_node_get(root, "d"), "x")->text,
			 "1");
	cr_assert_str_eq(yaml_node_get(yaml_node_get(root, "d"), "y")->text,
			 "3");
}

Test(yaml_node, what_is_not_one_document_is_refused)
{
	static const char *const bad[] = {
		"a: [", "a: b: c", "--- a\n--- b\n", "a: *nobody", "\t- x",
		"{a: 1, b", "a: \"unfinished",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(parse(bad[i]), -EINVAL, "%s", bad[i]);
		cr_assert_null(root);
	}
}

Test(yaml_node, an_alias_of_itself_is_refused)
{
	cr_assert_eq(parse("a: &a [*a]\n"), -EINVAL);
}
