/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_load.c, yaml_mapping.c, yaml_json.c: documents become trees, within bounds. */
#include <config.h>
#include "fs/config/yaml_node.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/buf.h"

static struct yaml_node *root;
static struct yaml_position at;
static struct err err;

static int parse_bytes(const char *text, size_t len)
{
	if (root)
		yaml_node_free(root);
	root = NULL;
	err = (struct err)ERR_INIT;
	return yaml_node_parse(&root, text, len, &at, &err);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void teardown(void)
{
	if (root)
		yaml_node_free(root);
	root = NULL;
}

TestSuite(yaml_load, .fini = teardown);

static const char *text_of(const char *key)
{
	const struct yaml_node *node = yaml_node_get(root, key);

	return node && node->kind == NODE_SCALAR ? node->text : "(none)";
}

Test(yaml_load, merge_keys_give_way_to_the_mappings_own)
{
	cr_assert_eq(parse("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\n"
			   "c: {<<: [*a, *b], x: 9}\n"), 0, "%s", err.text);
	const struct yaml_node *c = yaml_node_get(root, "c");

	cr_assert_eq(c->n_items, 3);
	cr_assert_str_eq(yaml_node_get(c, "x")->text, "9");
	cr_assert_str_eq(yaml_node_get(c, "y")->text, "2");
	cr_assert_str_eq(yaml_node_get(c, "z")->text, "4");
	cr_assert_eq(parse("a: {<<: text}"), -EINVAL);
	cr_assert_eq(parse("a: {<<: [[x]]}"), -EINVAL);
	cr_assert_eq(parse("a: {\"<<\": text}"), 0, "a quoted one is a key");
}

Test(yaml_load, json_is_read_as_json_has_it)
{
	cr_assert_eq(parse("\t{\n\t\"a\": \"\\ud83d\\ude80\\/\\u00fc\",\n"
			   "\t\"b\": true}\n"), 0, "%s", err.text);
	cr_assert_str_eq(text_of("a"), "\xf0\x9f\x9a\x80/\xc3\xbc");
	cr_assert_str_eq(text_of("b"), "true");
	cr_assert_eq(parse("{\"a\": \"\\ud83d\"}"), -EINVAL, "half of a pair");
}

Test(yaml_load, a_byte_order_mark_and_crlf_are_no_content)
{
	cr_assert_eq(parse("\xef\xbb\xbf" "a: b\r\nc: d\r\n"), 0);
	cr_assert_str_eq(text_of("a"), "b");
	cr_assert_str_eq(text_of("c"), "d");
}

Test(yaml_load, foreign_tags_are_refused_and_yamls_own_taken)
{
	cr_assert_eq(parse("a: !!str 5\nb: !!int 5\nc: !!null ''\n"), 0, "%s",
		     err.text);
	cr_assert_not(yaml_node_get(root, "a")->plain);
	cr_assert_eq(parse("a: !!python/object:os.system x\n"), -EINVAL);
	cr_assert_eq(parse("a: !secret x\n"), -EINVAL);
	cr_assert_eq(at.line, 1);
	cr_assert_eq(at.column, 4);
}

Test(yaml_load, positions_of_faults_are_exact_and_count_characters)
{
	cr_assert_eq(parse("a: b\nc: \"\xc3\xbc\xc3\xbc\" x\n"), -EINVAL);
	cr_assert_eq(at.line, 2);
	cr_assert_eq(at.column, 9);
	cr_assert_eq(parse_bytes("a: b\n\xc3\xbc: \x80\n", 11), -EINVAL);
	cr_assert_eq(at.line, 2);
	cr_assert_eq(at.column, 4);
}

Test(yaml_load, keys_are_texts_without_nul)
{
	cr_assert_eq(parse("? [a]\n: b\n"), -EINVAL);
	cr_assert_eq(parse("{{a}}: b\n"), -EINVAL);
	cr_assert_eq(parse("\"a\\0b\": c\n"), -EINVAL);
	cr_assert_eq(parse("a: \"x\\0y\"\n"), 0);
	cr_assert_eq(yaml_node_get(root, "a")->len, 3);
}

Test(yaml_load, anchors_and_keys_that_are_anchors_live_long_enough)
{
	cr_assert_eq(parse("&k key: &v value\n? *k\n: other\nlast: *v\n"), 0,
		     "%s", err.text);
	cr_assert_str_eq(text_of("last"), "value");
	cr_assert(root->items[1].duplicate);
	cr_assert_eq(parse("a: &x 1\nb: &x 2\nc: *x\n"), 0);
	cr_assert_str_eq(text_of("c"), "2");
}

/* The limits, each from both sides where that is cheap. */
Test(yaml_load, depth_is_bounded)
{
	char text[256];

	for (unsigned depth = YAML_DEPTH_MAX - 1; depth <= YAML_DEPTH_MAX + 1;
	     depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * depth] = '\0';
		cr_assert_eq(parse(text), depth <= YAML_DEPTH_MAX ? 0 : -EINVAL,
			     "%u: %s", depth, err.text);
	}
	/* By aliases too, which no text nests. */
	cr_assert_eq(parse("a: &a [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n"
			   "b: &b [[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]\n"
			   "c: &c [[[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]]\n"
			   "d: [[[[[[[[[[[[[[[[[[*c]]]]]]]]]]]]]]]]]]\n"),
		     -EINVAL);
	cr_assert_not_null(strstr(err.text, "deeper"));
}

Test(yaml_load, aliases_are_bounded_in_number_and_in_what_they_expand_to)
{
	cleanup_buf struct buf doc = BUF_INIT;

	buf_str(&doc, "a: &a x\nb: [");
	for (unsigned i = 0; i <= YAML_ALIASES_MAX; i++)
		buf_str(&doc, "*a,");
	buf_str(&doc, "]\n");
	cr_assert_eq(parse(doc.data), -EINVAL);
	cr_assert_not_null(strstr(err.text, "aliases"));

	/* 8 MiB of text at most: 900 times 10 kB are refused. */
	buf_clear(&doc);
	buf_str(&doc, "a: &a \"");
	for (unsigned i = 0; i < 10000; i++)
		buf_char(&doc, 'x');
	buf_str(&doc, "\"\nb: [");
	for (unsigned i = 0; i < 900; i++)
		buf_str(&doc, "*a,");
	buf_str(&doc, "]\n");
	cr_assert_eq(parse(doc.data), -EINVAL);
	cr_assert_not_null(strstr(err.text, "too large"));

	buf_clear(&doc);
	for (unsigned i = 0; i <= YAML_ALIASES_MAX; i++)
		buf_printf(&doc, "k%u: &a%u x\n", i, i);
	cr_assert_eq(parse(doc.data), -EINVAL);
	cr_assert_not_null(strstr(err.text, "anchors"));
}

Test(yaml_load, size_and_number_of_values_are_bounded, .timeout = 20)
{
	cleanup_buf struct buf doc = BUF_INIT;

	for (size_t i = 0; i < YAML_NODES_MAX; i++)
		buf_str(&doc, "- x\n");
	cr_assert_eq(parse(doc.data), -EINVAL);
	cr_assert_not_null(strstr(err.text, "too large"));
	buf_clear(&doc);
	while (doc.len <= YAML_BYTES_MAX)
		buf_str(&doc, "# padding padding padding padding padding\n");
	cr_assert_eq(parse(doc.data), -EINVAL);
	cr_assert_not_null(strstr(err.text, "larger than"));
}

Test(yaml_load, a_fault_never_shows_what_the_text_holds)
{
	static const char *const docs[] = {
		"a: *TOPSECRET1", "a: !TOPSECRET1 x", "TOPSECRET1: [",
		"\"TOPSECRET1", "a: TOPSECRET1: b", "%TOPSECRET1\n---\n",
		"a: &TOPSECRET1 [*TOPSECRET1]", "@TOPSECRET1", "{TOPSECRET1",
		"a: \"\\qTOPSECRET1\"", "a: 'TOPSECRET1\nb: |TOPSECRET1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		cr_assert_eq(parse(docs[i]), -EINVAL, "%s", docs[i]);
		cr_assert_null(strstr(err.text, "TOPSECRET1"), "%s", err.text);
	}
}

Test(yaml_load, a_document_without_content_is_none)
{
	static const char *const docs[] = { "", "# x\n", "~", "---\n", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		cr_assert_eq(parse(docs[i]), 0, "%s", docs[i]);
		cr_assert_null(root);
	}
}

Test(yaml_load, escapes_that_are_no_pairs_stay_what_they_are)
{
	cr_assert_eq(parse("{\"a\": \"\\u00e9\\u0041\"}"), 0, "%s", err.text);
	cr_assert_str_eq(text_of("a"), "\xc3\xa9" "A");
	cr_assert_eq(parse("{\"a\": \"\\uzzzz\\u0041\"}"), -EINVAL);
	cr_assert_eq(parse("{\"a\": \"\\ud83d\\u0041\"}"), -EINVAL);
}
