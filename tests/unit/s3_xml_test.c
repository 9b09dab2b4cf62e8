/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_xml.h"

#include <errno.h>
#include <criterion/criterion.h>

#define HEAD                                                                   \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                         \
	"<ListBucketResult "                                                   \
	"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define TAIL "</ListBucketResult>"
#define ENTRY(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"

static int parse(struct s3_list *list, const char *xml)
{
	struct err err = ERR_INIT;
	int r = s3_xml_list(list, xml, strlen(xml), &err);

	cr_expect(r == 0 || err.text[0]);
	return r;
}

static void check_bad(const char *xml)
{
	struct s3_list list;

	cr_expect_eq(parse(&list, xml), -EBADMSG, "%.200s", xml);
	cr_expect_null(list.names.entries);
}

Test(s3_xml, a_page_has_its_entries_in_the_order_of_their_keys)
{
	cleanup_s3_list struct s3_list list;

	cr_assert_eq(parse(&list,
			   HEAD "<Name>b</Name><Prefix>p/</Prefix>"
				"<KeyCount>3</KeyCount><Contents>"
				"<Key>p/b.txt</Key>"
				"<Generation>1732156539000123</Generation>"
				"<LastModified>2026-05-02T12:00:00.000Z"
				"</LastModified>"
				"<ETag>&quot;0123456789abcdef-2&quot;</ETag>"
				"<Size>8388609</Size>"
				"<StorageClass>STANDARD</StorageClass>"
				"<Owner><ID>x</ID></Owner></Contents>"
				"<Contents><Key>p/c</Key><Size>0</Size>"
				"</Contents><CommonPrefixes>"
				"<Prefix>p/a/</Prefix></CommonPrefixes>"
				"<IsTruncated>true</IsTruncated>"
				"<NextContinuationToken>a+/=</"
				"NextContinuationToken>" TAIL),
		     0);
	cr_assert_eq(list.names.n_entries, 3);
	cr_expect_str_eq(list.names.entries[0].key, "p/a/");
	cr_expect(list.names.entries[0].is_prefix);
	cr_expect_str_eq(list.names.entries[1].key, "p/b.txt");
	cr_expect_not(list.names.entries[1].is_prefix);
	cr_expect_eq(list.names.entries[1].info.size, 8388609);
	cr_expect_str_eq(list.names.entries[1].info.etag, "0123456789abcdef-2");
	cr_expect_str_eq(list.names.entries[1].info.generation,
			 "1732156539000123");
	cr_expect_str_eq(list.names.entries[2].info.generation, "");
	cr_expect_eq(list.names.entries[1].info.mtime_s, 1777723200);
	cr_expect_str_eq(list.names.entries[2].key, "p/c");
	cr_expect_str_eq(list.names.entries[2].info.etag, "");
	cr_expect(list.is_truncated);
	cr_expect_str_eq(list.token, "a+/=");
}

Test(s3_xml, names_are_decoded_only_where_the_reply_says_so)
{
	cleanup_s3_list struct s3_list plain, encoded;

	cr_assert_eq(parse(&plain, HEAD ENTRY("a%2Bb+c") TAIL), 0);
	cr_expect_str_eq(plain.names.entries[0].key, "a%2Bb+c");
	cr_assert_eq(parse(&encoded,
			   HEAD ENTRY("a%2Bb+c%C3%BC")
				   "<EncodingType>url</EncodingType>"
				   "<NextMarker>x%20y</NextMarker>" TAIL),
		     0);
	cr_expect_str_eq(encoded.names.entries[0].key, "a+b c\xc3\xbc");
	cr_expect_str_eq(encoded.next_marker, "x y");
}

Test(s3_xml, a_key_with_a_nul_is_counted_and_left_out)
{
	cleanup_s3_list struct s3_list list;

	cr_assert_eq(parse(&list, HEAD "<EncodingType>url</EncodingType>" ENTRY(
					  "a%00b") ENTRY("c") TAIL),
		     0);
	cr_assert_eq(list.names.n_entries, 1);
	cr_expect_str_eq(list.names.entries[0].key, "c");
	cr_expect_eq(list.names.n_skipped, 1);
}

Test(s3_xml, a_byte_order_mark_and_unknown_elements_are_passed_over)
{
	cleanup_s3_list struct s3_list list;

	cr_assert_eq(parse(&list, "\xef\xbb\xbf" HEAD
				  "<New><Key>no</Key></New>" ENTRY("k") TAIL),
		     0);
	cr_assert_eq(list.names.n_entries, 1);
	cr_expect_str_eq(list.names.entries[0].key, "k");
}

Test(s3_xml, an_empty_page_may_go_on)
{
	cleanup_s3_list struct s3_list list;

	cr_assert_eq(parse(&list, HEAD "<IsTruncated>true</IsTruncated>"
				       "<NextContinuationToken>t</"
				       "NextContinuationToken>" TAIL),
		     0);
	cr_expect_eq(list.names.n_entries, 0);
	cr_expect_str_eq(list.token, "t");
}

Test(s3_xml, an_error_in_place_of_a_page_is_told)
{
	cleanup_s3_list struct s3_list list;

	cr_assert_eq(parse(&list, "<Error><Code>SlowDown</Code><Message>x"
				  "</Message><Region>eu-west-3</Region>"
				  "</Error>"),
		     0);
	cr_expect_str_eq(list.error.code, "SlowDown");
	cr_expect_str_eq(list.error.region, "eu-west-3");
	cr_expect_eq(list.names.n_entries, 0);
}

Test(s3_xml, what_is_cut_or_is_no_page_is_refused)
{
	check_bad("");
	check_bad("<");
	check_bad("not xml");
	check_bad("{\"json\":1}");
	check_bad("<html><body>proxy</body></html>");
	check_bad(HEAD ENTRY("a"));
	check_bad(HEAD "<Contents><Key>a</Key>" TAIL);
	check_bad(HEAD ENTRY("a") TAIL "more");
	check_bad(HEAD "<Contents><Size>1</Size></Contents>" TAIL);
	check_bad(HEAD ENTRY("a") ENTRY("a") TAIL);
	check_bad(HEAD "<EncodingType>url</EncodingType>" ENTRY("%zz") TAIL);
}

Test(s3_xml, sizes_that_are_none_are_refused)
{
	static const char *const sizes[] = { "", "-1", "1x", " 1", "1e3",
					     "9223372036854775808",
					     "99999999999999999999999" };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char xml[512];

		(void)snprintf(xml, sizeof(xml),
			       HEAD "<Contents><Key>a</Key><Size>%s</Size>"
				    "</Contents>" TAIL,
			       sizes[i]);
		check_bad(xml);
	}
}

Test(s3_xml, entities_of_a_doctype_are_never_expanded)
{
	check_bad("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>"
		  "<ListBucketResult><Contents><Key>&a;</Key><Size>1</Size>"
		  "</Contents></ListBucketResult>");
	check_bad("<!DOCTYPE x SYSTEM \"file:///etc/passwd\">" HEAD TAIL);
}

Test(s3_xml, depth_and_text_are_bounded)
{
	cleanup_buf struct buf deep = BUF_INIT;
	cleanup_buf struct buf wide = BUF_INIT;

	buf_str(&deep, HEAD);
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		buf_str(&deep, "<a>");
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		buf_str(&deep, "</a>");
	buf_str(&deep, TAIL);
	check_bad(deep.data);

	buf_str(&wide, HEAD "<Contents><Key>");
	for (int i = 0; i <= XML_TEXT_MAX; i++)
		buf_char(&wide, 'x');
	buf_str(&wide, "</Key><Size>1</Size></Contents>" TAIL);
	check_bad(wide.data);
}

Test(s3_xml, an_upload_has_an_id_or_is_refused)
{
	static const char good[] =
		"<InitiateMultipartUploadResult><Bucket>b</Bucket>"
		"<UploadId>2~abc&amp;d</UploadId>"
		"</InitiateMultipartUploadResult>";
	static const char none[] = "<InitiateMultipartUploadResult>"
				   "<UploadId/>"
				   "</InitiateMultipartUploadResult>";
	char id[BACKEND_UPLOAD_ID_MAX];
	struct xml_error error;
	struct err err = ERR_INIT;

	cr_expect_eq(s3_xml_upload(&error, id, good, strlen(good), &err), 0);
	cr_expect_str_eq(id, "2~abc&d");
	cr_expect_eq(s3_xml_upload(&error, id, none, strlen(none), &err),
		     -EBADMSG);
	cr_expect_eq(s3_xml_upload(&error, id, "", 0, &err), -EBADMSG);
}

Test(s3_xml, a_completed_upload_may_fail_under_a_200_and_behind_white_space)
{
	static const char good[] =
		"  \n <CompleteMultipartUploadResult><ETag>\"e-2\"</ETag>"
		"</CompleteMultipartUploadResult>";
	static const char bad[] = " \n<Error><Code>InternalError</Code>"
				  "</Error>";
	char etag[BACKEND_ETAG_MAX];
	struct xml_error error;
	struct err err = ERR_INIT;

	cr_expect_eq(s3_xml_complete(&error, etag, good, strlen(good), &err),
		     0);
	cr_expect_str_eq(etag, "e-2");
	cr_expect_str_eq(error.code, "");
	cr_expect_eq(s3_xml_complete(&error, etag, bad, strlen(bad), &err), 0);
	cr_expect_str_eq(error.code, "InternalError");
	cr_expect_eq(s3_xml_complete(&error, etag, "   ", 3, &err), -EBADMSG);
}

Test(s3_xml, an_error_has_at_least_a_name_and_never_odd_bytes)
{
	static const char nameless[] = "<Error><Message>m</Message></Error>";
	static const char odd[] =
		"<Error><Code>a\"b</Code><Region>../x</Region></Error>";
	struct xml_error error;

	xml_parse_error(&error, nameless, strlen(nameless));
	cr_expect_str_eq(error.code, "Error");
	xml_parse_error(&error, odd, strlen(odd));
	cr_expect_str_eq(error.code, "Error");
	cr_expect_str_eq(error.region, "");
	xml_parse_error(&error, "<html/>", 7);
	cr_expect_str_eq(error.code, "");
}

Test(s3_xml, an_error_that_was_cut_still_says_its_code)
{
	static const char cut[] = "<Error><Code>SlowDown</Code><Mess";
	struct xml_error error;

	xml_parse_error(&error, cut, strlen(cut));
	cr_expect_str_eq(error.code, "SlowDown");
}
