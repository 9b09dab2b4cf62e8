/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/encode.h"
#include "backends/object/header.h"

/* An entry while its elements are read. */
struct list_parse {
	struct azure_list *list;
	struct listing_entry entry;
	bool is_encoded;	/* the name that is being read */
	bool is_directory;
};

static bool is_entry(const char *path)
{
	return !strcmp(path, "Blobs/Blob") || !strcmp(path, "Blobs/BlobPrefix");
}

static bool has_attribute(const char **attributes, const char *name,
			  const char *value)
{
	for (; attributes[0]; attributes += 2)
		if (!strcmp(attributes[0], name) &&
		    !strcmp(attributes[1], value))
			return true;
	return false;
}

static void list_start(struct xml_document *doc, const char *path,
		       const char **attributes)
{
	struct list_parse *lp = doc->arg;

	lp->is_encoded = has_attribute(attributes, "Encoded", "true");
	if (!is_entry(path))
		return;
	free(lp->entry.key);
	memset(&lp->entry, 0, sizeof(lp->entry));
	lp->entry.is_prefix = !strcmp(path, "Blobs/BlobPrefix");
	lp->entry.info.size = BACKEND_SIZE_UNKNOWN;
	lp->is_directory = false;
}

static int set_string(char **to, const char *text, struct err *err)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : err_nomem(err);
}

/* A name that XML cannot hold comes percent-encoded; '+' stays what it is. */
static int set_name(struct list_parse *lp, const char *text, struct err *err)
{
	cleanup_buf struct buf plain = BUF_INIT;
	int r;

	if (!lp->is_encoded)
		return set_string(&lp->entry.key, text, err);
	r = decode_percent(&plain, text, strlen(text), false, err);
	if (r < 0 || (plain.len && memchr(plain.data, '\0', plain.len)))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: an encoded name that is none");
	return set_string(&lp->entry.key, plain.data ? plain.data : "", err);
}

static int set_property(struct list_parse *lp, const char *name,
			const char *text, struct err *err)
{
	struct object_info *info = &lp->entry.info;

	if (!strcmp(name, "Content-Length") &&
	    !header_length(&info->size, text))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "XML: a size that is none");
	if (!strcmp(name, "Etag"))
		header_etag(info->etag, text);
	else if (!strcmp(name, "Last-Modified") &&
		 !header_date(&info->mtime_s, text))
		info->mtime_s = 0;
	else if (!strcmp(name, "ResourceType") && !strcmp(text, "directory"))
		lp->is_directory = true;
	return 0;
}

static int end_entry(struct list_parse *lp, struct err *err)
{
	if (!lp->is_directory || lp->entry.is_prefix)
		return listing_add(&lp->list->names, &lp->entry, err);
	free(lp->entry.key);
	lp->entry.key = NULL;
	return 0;
}

static int list_end(struct xml_document *doc, const char *path,
		    const char *text, struct err *err)
{
	static const char properties[] = "Blobs/Blob/Properties/";
	static const char folder[] = "Blobs/Blob/Metadata/hdi_isfolder";
	struct list_parse *lp = doc->arg;

	if (!strcmp(path, "Blobs/Blob/Name") ||
	    !strcmp(path, "Blobs/BlobPrefix/Name"))
		return set_name(lp, text, err);
	if (!strncmp(path, properties, strlen(properties)))
		return set_property(lp, path + strlen(properties), text, err);
	if (!strcasecmp(path, folder) && !strcasecmp(text, "true"))
		lp->is_directory = true;
	if (is_entry(path))
		return end_entry(lp, err);
	if (!strcmp(path, "NextMarker") && *text)
		return set_string(&lp->list->marker, text, err);
	return 0;
}

int azure_xml_list(struct azure_list *out, const void *xml, size_t len,
		   struct err *err)
{
	struct list_parse lp = { .list = out };
	struct xml_document doc = {
		.root = "EnumerationResults",
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
		r = listing_sort(&out->names, err);
	if (r < 0)
		azure_list_release(out);
	return r;
}

void azure_list_release(struct azure_list *list)
{
	listing_release(&list->names);
	free(list->marker);
	list->marker = NULL;
}
