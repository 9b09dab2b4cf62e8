/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_xml.h"

#include <errno.h>
#include <expat.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/s3/s3_impl.h"

#define PATH_MAX_BYTES 256

struct document;

/* path: element names below the root, "Contents/Key"; "" is the root. */
typedef void (*start_fn)(struct document *doc, const char *path);
typedef int (*end_fn)(struct document *doc, const char *path, const char *text,
		      struct err *err);

/* One parse: where it is, and what the caller wants of it. */
struct document {
	XML_Parser parser;
	const char *root;	/* the expected root element */
	start_fn on_start;	/* NULL: not interested */
	end_fn on_end;		/* not called inside <Error> */
	void *arg;
	struct s3_error *error;

	bool is_error;		/* the root is <Error> */
	bool has_root;
	unsigned depth;
	char path[PATH_MAX_BYTES];
	struct buf text;

	int r;			/* the first failure, with err */
	struct err *err;
};

static void fail(struct document *doc, const char *why)
{
	if (doc->r < 0)
		return;
	doc->r = err_set(doc->err, ERR_CORRUPT, EBADMSG, "XML: %s", why);
	(void)XML_StopParser(doc->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static bool copy_code(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
			    "xyz0123456789._-",
			    text[i]))
			return false;
	memcpy(out, text, len + 1);
	return true;
}

static void take_error(struct s3_error *error, const char *path,
		       const char *text)
{
	if (!strcmp(path, "Code"))
		(void)copy_code(error->code, sizeof(error->code), text);
	else if (!strcmp(path, "Region"))
		(void)copy_code(error->region, sizeof(error->region), text);
}

static void on_root(struct document *doc, const char *name)
{
	doc->has_root = true;
	doc->is_error = !strcmp(name, "Error");
	if (!doc->is_error && strcmp(name, doc->root) != 0)
		fail(doc, "another document than the one asked for");
}

static void XMLCALL on_start(void *arg, const XML_Char *full,
			     const XML_Char **attributes)
{
	struct document *doc = arg;
	const char *name = local_name(full);
	size_t len = strlen(doc->path);

	(void)attributes;
	if (++doc->depth > S3_XML_DEPTH_MAX) {
		fail(doc, "nested too deeply");
		return;
	}
	buf_clear(&doc->text);
	if (doc->depth == 1) {
		on_root(doc, name);
		return;
	}
	if (len + strlen(name) + 2 > sizeof(doc->path)) {
		fail(doc, "element names too long");
		return;
	}
	(void)snprintf(doc->path + len, sizeof(doc->path) - len, "%s%s",
		       len ? "/" : "", name);
	if (doc->on_start && !doc->is_error && doc->r == 0)
		doc->on_start(doc, doc->path);
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
	struct document *doc = arg;
	struct err ignored = ERR_INIT;

	if (doc->r == 0 && buf_add(&doc->text, s, (size_t)len, &ignored) < 0)
		fail(doc, "an element too long");
}

static void XMLCALL on_end(void *arg, const XML_Char *full)
{
	struct document *doc = arg;
	const char *text = doc->text.data ? doc->text.data : "";
	char *slash;

	(void)full;
	if (doc->r < 0)
		return;
	if (doc->is_error)
		take_error(doc->error, doc->path, text);
	else
		doc->r = doc->on_end(doc, doc->path, text, doc->err);
	if (doc->r < 0) {
		(void)XML_StopParser(doc->parser, XML_FALSE);
		return;
	}
	doc->depth--;
	slash = strrchr(doc->path, '/');
	*(slash ? slash : doc->path) = '\0';
	buf_clear(&doc->text);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name,
			       const XML_Char *system, const XML_Char *public,
			       int has_internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_internal;
	fail(arg, "it has a DOCTYPE");
}

static int parse(struct document *doc, const void *xml, size_t len,
		 struct err *err)
{
	enum XML_Status status;

	doc->err = err;
	doc->text.limit = S3_XML_TEXT_MAX;
	memset(doc->error, 0, sizeof(*doc->error));
	if (len > S3_XML_SIZE_MAX)
		return err_set(err, ERR_CORRUPT, EBADMSG, "XML: %zu bytes",
			       len);
	doc->parser = XML_ParserCreate(NULL);
	if (!doc->parser)
		return err_nomem(err);
	XML_SetUserData(doc->parser, doc);
	XML_SetElementHandler(doc->parser, on_start, on_end);
	XML_SetCharacterDataHandler(doc->parser, on_text);
	XML_SetStartDoctypeDeclHandler(doc->parser, on_doctype);

	status = XML_Parse(doc->parser, len ? xml : "", (int)len, XML_TRUE);
	if (status != XML_STATUS_OK && doc->r == 0)
		doc->r = err_set(err, ERR_CORRUPT, EBADMSG,
				 "XML: %s at byte %ld of %zu",
				 XML_ErrorString(XML_GetErrorCode(doc->parser)),
				 (long)XML_GetCurrentByteIndex(doc->parser),
				 len);
	XML_ParserFree(doc->parser);
	buf_release(&doc->text);
	if (doc->r == 0 && doc->is_error && !doc->error->code[0])
		(void)strcpy(doc->error->code, "Error");
	return doc->r;
}

void s3_etag_take(char etag[BACKEND_ETAG_MAX], const char *text)
{
	size_t len = strlen(text);

	etag[0] = '\0';
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	if (len >= BACKEND_ETAG_MAX)
		return;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return;
	}
	memcpy(etag, text, len);
	etag[len] = '\0';
}

/* A list's entry while its elements are read. */
struct list_parse {
	struct s3_list *list;
	struct s3_list_entry entry;
};

static int add_entry(struct s3_list *list, struct s3_list_entry *entry,
		     struct err *err)
{
	if (!entry->key)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: an entry without a name");
	if (list->n_entries >= S3_XML_ENTRIES_MAX)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: more than %d entries on a page",
			       S3_XML_ENTRIES_MAX);
	if (list->n_entries == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 128;
		struct s3_list_entry *v =
			realloc(list->entries, cap * sizeof(*v));

		if (!v)
			return err_nomem(err);
		list->entries = v;
		list->cap = cap;
	}
	list->entries[list->n_entries++] = *entry;
	memset(entry, 0, sizeof(*entry));
	return 0;
}

static int set_string(char **to, const char *text, struct err *err)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : err_nomem(err);
}

static void list_start(struct document *doc, const char *path)
{
	struct list_parse *lp = doc->arg;

	if (!strcmp(path, "Contents") || !strcmp(path, "CommonPrefixes")) {
		free(lp->entry.key);
		memset(&lp->entry, 0, sizeof(lp->entry));
		lp->entry.is_prefix = path[1] == 'o' && path[3] == 'm';
		lp->entry.info.size = BACKEND_SIZE_UNKNOWN;
	}
}

static int list_field(struct list_parse *lp, const char *name,
		      const char *text, struct err *err)
{
	struct object_info *info = &lp->entry.info;

	if (!strcmp(name, "Key"))
		return set_string(&lp->entry.key, text, err);
	if (!strcmp(name, "Size") && !s3_parse_length(&info->size, text))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: a size that is none");
	if (!strcmp(name, "ETag"))
		s3_etag_take(info->etag, text);
	else if (!strcmp(name, "LastModified") &&
		 clock_parse_iso(text, &info->mtime_s, NULL) < 0)
		info->mtime_s = 0;
	return 0;
}

static int list_end(struct document *doc, const char *path, const char *text,
		    struct err *err)
{
	struct list_parse *lp = doc->arg;
	struct s3_list *list = lp->list;

	if (!strncmp(path, "Contents/", 9))
		return list_field(lp, path + 9, text, err);
	if (!strcmp(path, "CommonPrefixes/Prefix"))
		return set_string(&lp->entry.key, text, err);
	if (!strcmp(path, "Contents") || !strcmp(path, "CommonPrefixes"))
		return add_entry(list, &lp->entry, err);
	if (!strcmp(path, "IsTruncated"))
		list->is_truncated = !strcmp(text, "true");
	else if (!strcmp(path, "EncodingType"))
		list->is_url_encoded = !strcmp(text, "url");
	else if (!strcmp(path, "NextContinuationToken"))
		return set_string(&list->token, text, err);
	else if (!strcmp(path, "NextMarker"))
		return set_string(&list->next_marker, text, err);
	return 0;
}

/* As form data: a space is sent as '+'.  *has_nul: no name that we can use. */
static int decode_name(char **name, bool *has_nul, struct err *err)
{
	cleanup_buf struct buf plain = BUF_INIT;
	int r = decode_percent(&plain, *name, strlen(*name), true, err);

	if (r < 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: a name that is not URL-encoded");
	*has_nul = plain.len && memchr(plain.data, '\0', plain.len);
	return set_string(name, plain.data ? plain.data : "", err);
}

static int decode_names(struct s3_list *list, struct err *err)
{
	size_t n = 0;
	bool has_nul;
	int r = 0;

	if (!list->is_url_encoded)
		return 0;
	if (list->next_marker)
		r = decode_name(&list->next_marker, &has_nul, err);
	for (size_t i = 0; r == 0 && i < list->n_entries; i++) {
		r = decode_name(&list->entries[i].key, &has_nul, err);
		if (r < 0)
			break;
		if (has_nul) {
			free(list->entries[i].key);
			list->entries[i].key = NULL;
			list->n_skipped++;
		}
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < list->n_entries; i++)
		if (list->entries[i].key)
			list->entries[n++] = list->entries[i];
	list->n_entries = n;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct s3_list_entry *)a)->key,
		      ((const struct s3_list_entry *)b)->key);
}

/* Objects and common prefixes come as two runs, each in order. */
static int sort_entries(struct s3_list *list, struct err *err)
{
	if (!list->n_entries)
		return 0;
	qsort(list->entries, list->n_entries, sizeof(*list->entries),
	      compare_entries);
	for (size_t i = 1; i < list->n_entries; i++)
		if (!compare_entries(&list->entries[i - 1], &list->entries[i]))
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "XML: a key is listed twice");
	return 0;
}

int s3_xml_list(struct s3_list *out, const void *xml, size_t len,
		struct err *err)
{
	struct list_parse lp = { .list = out };
	struct document doc = {
		.root = "ListBucketResult",
		.on_start = list_start,
		.on_end = list_end,
		.arg = &lp,
		.error = &out->error,
	};
	int r;

	memset(out, 0, sizeof(*out));
	r = parse(&doc, xml, len, err);
	free(lp.entry.key);
	if (r == 0)
		r = decode_names(out, err);
	if (r == 0)
		r = sort_entries(out, err);
	if (r < 0)
		s3_list_release(out);
	return r;
}

void s3_list_release(struct s3_list *list)
{
	for (size_t i = 0; i < list->n_entries; i++)
		free(list->entries[i].key);
	free(list->entries);
	free(list->token);
	free(list->next_marker);
	memset(list, 0, sizeof(*list));
}

static int upload_end(struct document *doc, const char *path, const char *text,
		      struct err *err)
{
	if (strcmp(path, "UploadId") != 0)
		return 0;
	if (!*text || strlen(text) >= BACKEND_UPLOAD_ID_MAX)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: an upload id of %zu bytes", strlen(text));
	(void)strcpy(doc->arg, text);
	return 0;
}

int s3_xml_upload(struct s3_error *error, char id[BACKEND_UPLOAD_ID_MAX],
		  const void *xml, size_t len, struct err *err)
{
	struct document doc = {
		.root = "InitiateMultipartUploadResult",
		.on_end = upload_end,
		.arg = id,
		.error = error,
	};
	int r;

	id[0] = '\0';
	r = parse(&doc, xml, len, err);
	if (r == 0 && !error->code[0] && !id[0])
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: no upload id");
	return r;
}

static int complete_end(struct document *doc, const char *path,
			const char *text, struct err *err)
{
	(void)err;
	if (!strcmp(path, "ETag"))
		s3_etag_take(doc->arg, text);
	return 0;
}

int s3_xml_complete(struct s3_error *error, char etag[BACKEND_ETAG_MAX],
		    const void *xml, size_t len, struct err *err)
{
	struct document doc = {
		.root = "CompleteMultipartUploadResult",
		.on_end = complete_end,
		.arg = etag,
		.error = error,
	};
	const char *p = xml;

	etag[0] = '\0';
	/* White space keeps the connection alive, before any XML is due. */
	while (len && strchr(" \r\n\t", *p)) {
		p++;
		len--;
	}
	return parse(&doc, p, len, err);
}

void s3_xml_error(struct s3_error *error, const void *xml, size_t len)
{
	struct document doc = {
		.root = "Error",
		.error = error,
	};
	struct err err = ERR_INIT;

	/* A body cut at the engine's limit may still name its code first. */
	(void)parse(&doc, xml, len, &err);
}
