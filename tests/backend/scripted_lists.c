/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/scripted.h"

#include "backends/s3/s3_xml.h"

#define PAGE(...) { "200 OK", NULL, HEAD __VA_ARGS__ TAIL }
#define HEAD "<?xml version=\"1.0\"?><ListBucketResult>"
#define TAIL "</ListBucketResult>"
#define KEY(k) "<Contents><Key>" k "</Key><Size>1</Size></Contents>"
#define DIR(k) "<CommonPrefixes><Prefix>" k "</Prefix></CommonPrefixes>"
#define CUT "<IsTruncated>true</IsTruncated>"
#define NEXT(t) CUT "<NextContinuationToken>" t "</NextContinuationToken>"

/* All pages below "d/" of "s3://bkt/p". */
static void walk(struct scene *sc, const char *delimiter, int want,
		 size_t n_requests, const char *keys, const char *name)
{
	struct buf got = BUF_INIT;
	int r = list_keys(sc->b, "d/", delimiter, &got, &sc->err);

	check_scene(sc, r, want, n_requests, name);
	if (want == 0 && !check(!strcmp(got.data, keys), "... all of it"))
		printf("#   got %s\n", got.data);
	if (want == -EBADMSG)
		check(sc->err.class == ERR_CORRUPT, "... %s", sc->err.text);
	buf_release(&got);
	scene_end(sc);
}

static void pages(void)
{
	SCENE(two, PAGE(KEY("p/d/a") NEXT("t+/=1")), PAGE(KEY("p/d/b")));
	SCENE(empty, PAGE(NEXT("t1")), PAGE(NEXT("t2")), PAGE(KEY("p/d/a")));
	SCENE(untold, PAGE(KEY("p/d/a") "<NextContinuationToken>t"
					"</NextContinuationToken>"),
	      PAGE(KEY("p/d/b")));
	SCENE(merged, PAGE(KEY("p/d/b.txt") KEY("p/d/x") DIR("p/d/b/")
				   DIR("p/d/y/")));
	SCENE(marker, PAGE(KEY("p/") KEY("p/d/")));
	struct buf got = BUF_INIT;
	int r;

	r = list_keys(two.b, "d/", NULL, &got, &two.err);
	check_scene(&two, r, 0, 2, "two pages");
	check(asked(&two, 0, "list-type=2") &&
		      asked(&two, 0, "encoding-type=url") &&
		      asked(&two, 0, "prefix=p%2Fd%2F") &&
		      asked(&two, 0, "!delimiter") &&
		      asked(&two, 1, "continuation-token=t%2B%2F%3D1"),
	      "... by the store's token");
	check(!strcmp(got.data, "d/a\nd/b\n"), "... all of it");
	scene_end(&two);

	in_case(12);
	walk(&empty, NULL, 0, 3, "d/a\n", "empty pages are passed over");
	in_case(11);
	walk(&untold, NULL, 0, 2, "d/a\nd/b\n",
	     "a token counts, whatever IsTruncated says");
	in_case(14);
	walk(&merged, "/", 0, 1, "d/b.txt\nd/b/\nd/x\nd/y/\n",
	     "keys and directories in one order");

	r = list_keys(marker.b, "", NULL, &got, &marker.err);
	check(r == 0 && !strcmp(got.data, "d/\n"),
	      "the marker of the location itself is no key below it: %s",
	      got.data);
	scene_end(&marker);
	buf_release(&got);
}

static void confusion(void)
{
	SCENE(token, PAGE(KEY("p/d/a") NEXT("t")), PAGE(KEY("p/d/b") NEXT("t")));
	SCENE(page, PAGE(KEY("p/d/a") NEXT("t1")), PAGE(KEY("p/d/a") NEXT("t2")));
	SCENE(order, PAGE(KEY("p/d/b") NEXT("t1")), PAGE(KEY("p/d/a")));
	SCENE(nowhere, PAGE(CUT));
	SCENE(outside, PAGE(KEY("q/x")));
	SCENE(beside, PAGE(KEY("p/dd")));
	SCENE(twice, PAGE(KEY("p/d/a") KEY("p/d/a")));

	walk(&token, NULL, -EBADMSG, 4, "", "a token that comes again");
	walk(&page, NULL, -EBADMSG, 2, "", "a page that comes again");
	walk(&order, NULL, -EBADMSG, 2, "", "keys that go back");
	walk(&nowhere, NULL, -EBADMSG, 3, "", "a page that ends nowhere");
	walk(&outside, NULL, -EBADMSG, 3, "", "a key outside of the location");
	walk(&beside, NULL, -EBADMSG, 3, "", "a key beside the prefix");
	walk(&twice, NULL, -EBADMSG, 3, "", "a key that is listed twice");
}

static void bad_pages(void)
{
	SCENE(cut, { "200 OK", NULL, HEAD KEY("p/d/a") }, PAGE(KEY("p/d/a")));
	SCENE(for_ever, { "200 OK", NULL, HEAD KEY("p/d/a") });
	SCENE(slow, { "200 OK", NULL, "<Error><Code>SlowDown</Code></Error>" },
	      PAGE(KEY("p/d/a")));
	SCENE(denied,
	      { "200 OK", NULL, "<Error><Code>AccessDenied</Code></Error>" });
	SCENE(proxy, { "200 OK", NULL, "<html>Log in, please</html>" });
	SCENE(nothing, { "200 OK", NULL, NULL });
	SCENE(bom, { "200 OK", NULL,
		     "\xef\xbb\xbf" HEAD KEY("p/d/a") TAIL });
	SCENE(gone,
	      { "404 Not Found", NULL, "<Error><Code>NoSuchBucket</Code></Error>" });

	walk(&cut, NULL, 0, 2, "d/a\n", "a cut page is asked for again");
	walk(&for_ever, NULL, -EBADMSG, 3, "", "... but not for ever");
	walk(&slow, NULL, 0, 2, "d/a\n", "trouble under a 200 passes");
	walk(&denied, NULL, -EACCES, 1, "", "a refusal under a 200");
	walk(&proxy, NULL, -EBADMSG, 3, "", "a page of somebody else's");
	walk(&nothing, NULL, -EBADMSG, 3, "", "nothing is no empty page");
	walk(&bom, NULL, 0, 1, "d/a\n", "a byte order mark");
	walk(&gone, NULL, -ENOENT, 1, "", "no bucket is no empty page");
}

static void huge_page(void)
{
	const size_t len = ((size_t)XML_SIZE_MAX) + 1000;
	char *body = malloc(len + 1);
	struct script_step step = { "200 OK", NULL, body };
	struct scene sc;

	memset(body, ' ', len);
	body[len] = '\0';
	scene_begin(&sc, NULL, NULL, &step, 1);
	walk(&sc, NULL, -EBADMSG, 3, "", "a page without measure");
	free(body);
}

static void old_stores(void)
{
	/* list-v2 asked, list-v1 answered: the last key is the marker. */
	SCENE(v1, PAGE(CUT KEY("p/d/a") KEY("p/d/b+")), PAGE(KEY("p/d/c")));
	SCENE(named, PAGE(CUT "<EncodingType>url</EncodingType>"
			      "<NextMarker>p%2Fd%2Fx+y%2F</NextMarker>" DIR(
				      "p%2Fd%2Fx+y%2F")),
	      PAGE(KEY("p/d/z")));
	SCENE(stuck, PAGE(CUT KEY("p/d/a")), PAGE(CUT KEY("p/d/a")));
	SCENE(no_v2,
	      { "501 Not Implemented", NULL,
		"<Error><Code>NotImplemented</Code></Error>" },
	      PAGE(KEY("p/d/a")), PAGE(KEY("p/d/a")));
	struct buf got = BUF_INIT;
	int r;

	r = list_keys(v1.b, "d/", NULL, &got, &v1.err);
	check_scene(&v1, r, 0, 2, "a store of list-v1");
	check(!strcmp(got.data, "d/a\nd/b+\nd/c\n") &&
		      asked(&v1, 1, "marker=p%2Fd%2Fb%2B") &&
		      asked(&v1, 1, "!list-type"),
	      "... goes on behind the last key");
	scene_end(&v1);

	r = list_keys(named.b, "d/", "/", &got, &named.err);
	check_scene(&named, r, 0, 2, "... or behind the marker that it names");
	check(asked(&named, 1, "marker=p%2Fd%2Fx%20y%2F") &&
		      !strcmp(got.data, "d/x y/\nd/z\n"),
	      "... which is decoded");
	scene_end(&named);

	walk(&stuck, NULL, -EBADMSG, 4, "", "... and never stays there");

	r = list_keys(no_v2.b, "d/", NULL, &got, &no_v2.err);
	check_scene(&no_v2, r, 0, 2, "a store without list-v2");
	r = list_keys(no_v2.b, "d/", NULL, &got, &no_v2.err);
	check_scene(&no_v2, r, 0, 3, "... is not asked for it twice");
	scene_end(&no_v2);
	buf_release(&got);
}

void scripted_lists(void)
{
	in_case(11);
	pages();
	in_case(15);
	confusion();
	in_case(16);
	bad_pages();
	huge_page();
	in_case(11);
	old_stores();
	in_case(0);
}
