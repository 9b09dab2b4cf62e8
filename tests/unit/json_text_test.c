/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/catalog_store/json_text.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <criterion/criterion.h>

static int parse(const char *text)
{
	struct json_t *v = NULL;
	struct err err = ERR_INIT;
	int r = json_text_parse(&v, text, strlen(text), &err);

	json_decref(v);
	return r;
}

static void compact_is(const char *text, const char *want)
{
	cleanup_buf struct buf out = BUF_INIT, again = BUF_INIT;

	cr_assert_eq(parse(text), 0, "%s", text);
	json_text_compact(&out, text, strlen(text));
	cr_expect_str_eq(out.data, want, "%s -> %s", text, out.data);
	json_text_compact(&again, out.data, out.len);
	cr_expect_str_eq(again.data, out.data, "not stable");
}

Test(json_text, what_rfc_8259_forbids_is_refused)
{
	static const char *const bad[] = {
		"", "{", "[1,]", "{\"a\":1,}", "nul", "{'a':1}", "[1] x",
		"{\"a\":1,\"a\":2}", "\"\\ud800\"", "[\"\x80\"]", "[\"a\nb\"]",
		"{\"a\\u0000b\":1}", "[01]", "[1e999]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(parse(bad[i]), -EBADMSG, "%s", bad[i]);
}

Test(json_text, a_nul_is_refused_wherever_it_stands)
{
	static const char text[] = "{\"a\": [1, true], \"b\": \"c\"}";

	for (size_t i = 0; i <= strlen(text); i++) {
		char copy[sizeof(text) + 1];
		struct json_t *v = NULL;
		struct err err = ERR_INIT;

		memcpy(copy, text, i);
		copy[i] = '\0';
		memcpy(copy + i + 1, text + i, sizeof(text) - i);
		cr_expect_eq(json_text_parse(&v, copy, strlen(text) + 1, &err),
			     -EBADMSG, "%zu", i);
		json_decref(v);
	}
}

Test(json_text, depth_is_bounded_and_brackets_in_strings_do_not_count)
{
	char text[2 * JSON_TEXT_DEPTH + 8];

	memset(text, '[', JSON_TEXT_DEPTH);
	memset(text + JSON_TEXT_DEPTH, ']', JSON_TEXT_DEPTH);
	text[2 * JSON_TEXT_DEPTH] = '\0';
	cr_expect_eq(parse(text), 0);
	memset(text, '[', JSON_TEXT_DEPTH + 1);
	memset(text + JSON_TEXT_DEPTH + 1, ']', JSON_TEXT_DEPTH + 1);
	text[2 * JSON_TEXT_DEPTH + 2] = '\0';
	cr_expect_eq(parse(text), -EBADMSG);
	cr_expect_eq(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"]"),
		     0);
}

Test(json_text, compact_text_keeps_numbers_digit_by_digit)
{
	compact_is(" { \"a\" : [ 1.50 , -0 , 1E+3 , 12345678901234567.123 ] } ",
		   "{\"a\":[1.50,-0,1E+3,12345678901234567.123]}");
}

Test(json_text, compact_strings_have_the_fewest_escapes)
{
	compact_is("[\"\\u0041\\/\\u00e9\\ud83d\\ude00\\u000a\\u001F\\\"\\\\\"]",
		   "[\"A/\xc3\xa9\xf0\x9f\x98\x80\\n\\u001f\\\"\\\\\"]");
	compact_is("[\" a  b \", true, null, {}]", "[\" a  b \",true,null,{}]");
}

Test(json_text, a_walk_gives_each_member_and_its_own_bytes)
{
	static const char text[] =
		" {\"a\" : 1, \"b,}\" : {\"x\":[1,{\"y\":\"}\"}]} ,\"c\":\"\\\"\" ,"
		"\"d\":null}";
	static const char *const keys[] = { "a", "b,}", "c", "d" };
	static const char *const values[] = {
		"1", "{\"x\":[1,{\"y\":\"}\"}]}", "\"\\\"\"", "null",
	};
	struct json_text_walk walk = json_text_walk(text, strlen(text));

	cr_assert_eq(parse(text), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_assert(json_text_next(&walk));
		cr_expect(json_text_key_is(&walk, keys[i]));
		cr_expect_not(json_text_key_is(&walk, "zzz"));
		cr_expect_eq(walk.value_len, strlen(values[i]));
		cr_expect_eq(memcmp(walk.value, values[i], walk.value_len), 0);
	}
	cr_expect_not(json_text_next(&walk));
}

Test(json_text, a_walk_over_what_is_no_object_is_empty)
{
	struct json_text_walk walk = json_text_walk("[1]", 3);

	cr_expect_not(json_text_next(&walk));
	walk = json_text_walk("{}", 2);
	cr_expect_not(json_text_next(&walk));
	walk = json_text_walk("", 0);
	cr_expect_not(json_text_next(&walk));
}

Test(json_text, a_string_is_written_so_that_it_reads_back)
{
	char all[0x80];
	cleanup_buf struct buf out = BUF_INIT;
	struct json_t *v;
	struct err err = ERR_INIT;
	size_t n = 0;

	for (int c = 1; c < 0x80; c++)
		all[n++] = (char)c;
	buf_char(&out, '[');
	json_text_string(&out, all, n);
	buf_str(&out, "]");
	cr_assert_eq(json_text_parse(&v, out.data, out.len, &err), 0, "%s",
		     err.text);
	cr_assert_eq(json_string_length(json_array_get(v, 0)), n);
	cr_assert_eq(memcmp(json_string_value(json_array_get(v, 0)), all, n), 0);
	json_decref(v);
}

Test(json_text, bytes_that_are_no_utf_8_are_written_as_python_does)
{
	cleanup_buf struct buf out = BUF_INIT;
	static const char name[] = "a\"\n\xc3\xa9\xff\xc3";

	json_text_bytes(&out, name, sizeof(name) - 1);
	cr_expect_str_eq(out.data, "\"a\\\"\\n\xc3\xa9\\udcff\\udcc3\"",
			 "%s", out.data);
}
