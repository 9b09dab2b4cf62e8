/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/xml.h"

#include <errno.h>
#include <string.h>

static void fail(struct xml_document *doc, const char *why)
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

bool xml_word(char *out, size_t size, const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789._-");

	if (text[len] || len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static void take_error(struct xml_error *error, const char *path,
		       const char *text)
{
	if (!strcmp(path, "Code"))
		(void)xml_word(error->code, sizeof(error->code), text);
	else if (!strcmp(path, "Region"))
		(void)xml_word(error->region, sizeof(error->region), text);
}

static void on_root(struct xml_document *doc, const char *name)
{
	doc->is_error = !strcmp(name, "Error");
	if (!doc->is_error && strcmp(name, doc->root) != 0)
		fail(doc, "another document than the one asked for");
}

static void XMLCALL on_start(void *arg, const XML_Char *full,
			     const XML_Char **attributes)
{
	struct xml_document *doc = arg;
	const char *name = local_name(full);
	size_t len = strlen(doc->path);

	if (++doc->depth > XML_DEPTH_MAX) {
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
		doc->on_start(doc, doc->path, attributes);
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
	struct xml_document *doc = arg;
	struct err ignored = ERR_INIT;

	if (doc->r == 0 && buf_add(&doc->text, s, (size_t)len, &ignored) < 0)
		fail(doc, "an element too long");
}

static void XMLCALL on_end(void *arg, const XML_Char *full)
{
	struct xml_document *doc = arg;
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

int xml_parse(struct xml_document *doc, const void *xml, size_t len,
	      struct err *err)
{
	enum XML_Status status;

	doc->err = err;
	doc->text.limit = XML_TEXT_MAX;
	memset(doc->error, 0, sizeof(*doc->error));
	if (len > XML_SIZE_MAX)
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
		doc->r = err_set(
			err, ERR_CORRUPT, EBADMSG, "XML: %s at byte %ld of %zu",
			XML_ErrorString(XML_GetErrorCode(doc->parser)),
			(long)XML_GetCurrentByteIndex(doc->parser), len);
	XML_ParserFree(doc->parser);
	buf_release(&doc->text);
	if (doc->r == 0 && doc->is_error && !doc->error->code[0])
		(void)strcpy(doc->error->code, "Error");
	return doc->r;
}

void xml_parse_error(struct xml_error *error, const void *xml, size_t len)
{
	struct xml_document doc = {
		.root = "Error",
		.error = error,
	};
	struct err err = ERR_INIT;

	/* A body cut at the engine's limit may still name its code first. */
	(void)!xml_parse(&doc, xml, len, &err);
}
