/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_xml.h"

#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/object/header.h"

/* A list's entry while its elements are read. */
struct list_parse {
	struct s3_list *list;
	struct listing_entry entry;
};

static int set_string(char **to, const char *text, struct err *err)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : err_nomem(err);
}

static void list_start(struct xml_document *doc, const char *path,
		       const char **attributes)
{
	struct list_parse *lp = doc->arg;

	(void)attributes;
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
	if (!strcmp(name, "Size") && !header_length(&info->size, text))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: a size that is none");
	if (!strcmp(name, "ETag"))
		header_etag(info->etag, text);
	else if (!strcmp(name, "Generation"))
		header_generation(info->generation, text);
	else if (!strcmp(name, "LastModified") &&
		 clock_parse_iso(text, &info->mtime_s, NULL) < 0)
		info->mtime_s = 0;
	return 0;
}

static int list_end(struct xml_document *doc, const char *path,
		    const char *text, struct err *err)
{
	struct list_parse *lp = doc->arg;
	struct s3_list *list = lp->list;

	if (!strncmp(path, "Contents/", 9))
		return list_field(lp, path + 9, text, err);
	if (!strcmp(path, "CommonPrefixes/Prefix"))
		return set_string(&lp->entry.key, text, err);
	if (!strcmp(path, "Contents") || !strcmp(path, "CommonPrefixes"))
		return listing_add(&list->names, &lp->entry, err);
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
	struct listing *names = &list->names;
	bool has_nul;
	int r = 0;

	if (!list->is_url_encoded)
		return 0;
	if (list->next_marker)
		r = decode_name(&list->next_marker, &has_nul, err);
	for (size_t i = 0; r == 0 && i < names->n_entries; i++) {
		r = decode_name(&names->entries[i].key, &has_nul, err);
		if (r == 0 && has_nul)
			listing_skip(names, i);
	}
	return r;
}

int s3_xml_list(struct s3_list *out, const void *xml, size_t len,
		struct err *err)
{
	struct list_parse lp = { .list = out };
	struct xml_document doc = {
		.root = "ListBucketResult",
		.on_start = list_start,
		.on_end = list_end,
		.arg = &lp,
		.error = &out->error,
	};
	int r;

	memset(out, 0, sizeof(*out));
	r = xml_parse(&doc, xml, len, err);
	free(lp.entry.key);
	if (r == 0)
		r = decode_names(out, err);
	if (r == 0)
		r = listing_sort(&out->names, err);
	if (r < 0)
		s3_list_release(out);
	return r;
}

void s3_list_release(struct s3_list *list)
{
	listing_release(&list->names);
	free(list->token);
	free(list->next_marker);
	memset(list, 0, sizeof(*list));
}

static int upload_end(struct xml_document *doc, const char *path,
		      const char *text, struct err *err)
{
	if (strcmp(path, "UploadId") != 0)
		return 0;
	if (!*text || strlen(text) >= BACKEND_UPLOAD_ID_MAX)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: an upload id of %zu bytes", strlen(text));
	(void)strcpy(doc->arg, text);
	return 0;
}

int s3_xml_upload(struct xml_error *error, char id[BACKEND_UPLOAD_ID_MAX],
		  const void *xml, size_t len, struct err *err)
{
	struct xml_document doc = {
		.root = "InitiateMultipartUploadResult",
		.on_end = upload_end,
		.arg = id,
		.error = error,
	};
	int r;

	id[0] = '\0';
	r = xml_parse(&doc, xml, len, err);
	if (r == 0 && !error->code[0] && !id[0])
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: no upload id");
	return r;
}

static int complete_end(struct xml_document *doc, const char *path,
			const char *text, struct err *err)
{
	(void)err;
	if (!strcmp(path, "ETag"))
		header_etag(doc->arg, text);
	return 0;
}

int s3_xml_complete(struct xml_error *error, char etag[BACKEND_ETAG_MAX],
		    const void *xml, size_t len, struct err *err)
{
	struct xml_document doc = {
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
	return xml_parse(&doc, p, len, err);
}
