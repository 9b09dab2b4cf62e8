/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_xml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define HEAD                                                                   \
	"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>"               \
	"<EnumerationResults ServiceEndpoint=\"https://a.example/\" "          \
	"ContainerName=\"c\"><Prefix>p/</Prefix><Blobs>"
#define TAIL(marker)                                                           \
	"</Blobs><NextMarker>" marker "</NextMarker></EnumerationResults>"
#define BLOB(name, more)                                                       \
	"<Blob><Name>" name "</Name><Properties>"                              \
	"<Content-Length>1</Content-Length>" more "</Properties></Blob>"

static int parse(struct azure_list *list, const char *xml)
{
	struct err err = ERR_INIT;
	int r = azure_xml_list(list, xml, strlen(xml), &err);

	cr_expect(r == 0 || err.text[0]);
	return r;
}

Test(azure_xml, a_page_has_its_entries_in_the_order_of_their_keys)
{
	cleanup_azure_list struct azure_list list;

	cr_assert_eq(
		parse(&list,
		      HEAD "<Blob><Name>p/b c+%20.txt</Name><Properties>"
			   "<Creation-Time>Sun, 06 Nov 1994 08:49:36 GMT"
			   "</Creation-Time>"
			   "<Last-Modified>Sun, 06 Nov 1994 08:49:37 GMT"
			   "</Last-Modified><Etag>0x8D1</Etag>"
			   "<Content-Length>8388609</Content-Length>"
			   "<Content-MD5>x</Content-MD5></Properties>"
			   "<OrMetadata /></Blob>"
			   "<Blob><Name>p/c</Name><Properties>"
			   "<Etag>\"0x8D2\"</Etag>"
			   "<Content-Length>0</Content-Length>"
			   "</Properties></Blob>"
			   "<BlobPrefix><Name>p/a/</Name></BlobPrefix>" TAIL(
				   "2!88!MDAw")),
		0);
	cr_assert_eq(list.names.n_entries, 3);
	cr_expect_str_eq(list.names.entries[0].key, "p/a/");
	cr_expect(list.names.entries[0].is_prefix);
	cr_expect_str_eq(list.names.entries[1].key, "p/b c+%20.txt");
	cr_expect_not(list.names.entries[1].is_prefix);
	cr_expect_eq(list.names.entries[1].info.size, 8388609);
	cr_expect_str_eq(list.names.entries[1].info.etag, "0x8D1");
	cr_expect_eq(list.names.entries[1].info.mtime_s, 784111777);
	cr_expect_str_eq(list.names.entries[2].key, "p/c");
	cr_expect_str_eq(list.names.entries[2].info.etag, "0x8D2");
	cr_expect_str_eq(list.marker, "2!88!MDAw");
}

Test(azure_xml, the_last_page_has_an_empty_marker_and_an_empty_one_may_go_on)
{
	cleanup_azure_list struct azure_list last, empty;

	cr_assert_eq(parse(&last, HEAD BLOB("k", "") TAIL("")), 0);
	cr_expect_null(last.marker);
	cr_assert_eq(parse(&empty, HEAD TAIL("m")), 0);
	cr_expect_eq(empty.names.n_entries, 0);
	cr_expect_str_eq(empty.marker, "m");
}

Test(azure_xml, names_are_decoded_only_where_they_say_so)
{
	cleanup_azure_list struct azure_list list;

	cr_assert_eq(
		parse(&list,
		      HEAD "<Blob><Name Encoded=\"true\">a%01+%25b</Name></Blob>"
			   "<Blob><Name Encoded=\"false\">c%01</Name></Blob>"
			   "<BlobPrefix><Name Encoded=\"true\">d%EF%BF%BF/"
			   "</Name></BlobPrefix>" TAIL("")),
		0);
	cr_assert_eq(list.names.n_entries, 3);
	cr_expect_str_eq(list.names.entries[0].key, "a\x01+%b");
	cr_expect_str_eq(list.names.entries[1].key, "c%01");
	cr_expect_str_eq(list.names.entries[2].key, "d\xef\xbf\xbf/");
}

Test(azure_xml, directories_are_no_objects)
{
	cleanup_azure_list struct azure_list list;

	cr_assert_eq(
		parse(&list,
		      HEAD BLOB("a", "<ResourceType>directory</ResourceType>")
			      BLOB("b", "<ResourceType>file</ResourceType>")
			      "<Blob><Name>c</Name><Metadata><hdi_isfolder>true"
			      "</hdi_isfolder></Metadata></Blob>"
			      "<Blob><Name>d</Name><Metadata><x>true</x>"
			      "</Metadata></Blob>"
			      "<BlobPrefix><Name>a/</Name><Properties>"
			      "<ResourceType>directory</ResourceType>"
			      "</Properties></BlobPrefix>" TAIL("")),
		0);
	cr_assert_eq(list.names.n_entries, 3);
	cr_expect_str_eq(list.names.entries[0].key, "a/");
	cr_expect_str_eq(list.names.entries[1].key, "b");
	cr_expect_str_eq(list.names.entries[2].key, "d");
}

Test(azure_xml, what_is_cut_or_is_no_page_is_refused)
{
	static const char *const bad[] = {
		"",
		HEAD BLOB("k", ""),
		HEAD "<Blob><Name>k</Name>" TAIL(""),
		"<ListBucketResult></ListBucketResult>",
		HEAD "<Blob><Properties></Properties></Blob>" TAIL(""),
		HEAD "<Blob><Name Encoded=\"true\">a%0</Name></Blob>" TAIL(""),
		HEAD "<Blob><Name Encoded=\"true\">a%00</Name></Blob>" TAIL(""),
		HEAD "<Blob><Name>k</Name><Properties><Content-Length>-1"
		     "</Content-Length></Properties></Blob>" TAIL(""),
		HEAD BLOB("k", "") BLOB("k", "") TAIL(""),
		"<!DOCTYPE x [<!ENTITY a \"b\">]>" HEAD TAIL(""),
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct azure_list list;

		cr_expect_eq(parse(&list, bad[i]), -EBADMSG, "%zu", i);
		cr_expect(!list.names.entries && !list.marker);
	}
}

Test(azure_xml, an_error_in_place_of_a_page_is_told)
{
	cleanup_azure_list struct azure_list list;

	cr_assert_eq(parse(&list, "\xef\xbb\xbf<Error><Code>ServerBusy</Code>"
				  "<Message>x</Message></Error>"),
		     0);
	cr_expect_str_eq(list.error.code, "ServerBusy");
	cr_expect_eq(list.names.n_entries, 0);
}
