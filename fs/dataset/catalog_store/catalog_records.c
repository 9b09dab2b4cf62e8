/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sorted table of records, and what their keys mean.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "fs/dataset/catalog_store/catalog_store_impl.h"
#include "fs/dataset/reference.h"

#define VERSION_DIGITS 10
#define SUFFIX ".json"
#define SUFFIX_LEN (sizeof(SUFFIX) - 1)

void catalog_name_key(char out[CATALOG_KEY_MAX], const char *name)
{
	snprintf(out, CATALOG_KEY_MAX, "names/%s" SUFFIX, name);
}

void catalog_head_key(char out[CATALOG_KEY_MAX], const char *dataset_id)
{
	snprintf(out, CATALOG_KEY_MAX, "datasets/%s/head" SUFFIX, dataset_id);
}

void catalog_version_key(char out[CATALOG_KEY_MAX], const char *dataset_id,
			 uint32_t number)
{
	snprintf(out, CATALOG_KEY_MAX, "datasets/%s/versions/%0*u" SUFFIX,
		 dataset_id, VERSION_DIGITS, number);
}

static bool key_number(uint32_t *out, const char *s)
{
	uint64_t n = 0;

	for (int i = 0; i < VERSION_DIGITS; i++, s++) {
		if (*s < '0' || *s > '9')
			return false;
		n = n * 10 + (unsigned)(*s - '0');
	}
	if (strcmp(s, SUFFIX) != 0 || n == 0 || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

static struct record_key key_of_dataset(const char *rest)
{
	static const char versions[] = "versions/";
	struct record_key key = { .kind = RECORD_OTHER };
	size_t len = strcspn(rest, "/");

	if (rest[len] != '/' || !catalog_is_id(rest, len))
		return key;
	memcpy(key.id, rest, len);
	rest += len + 1;
	if (strcmp(rest, "head" SUFFIX) == 0)
		key.kind = RECORD_HEAD;
	else if (strncmp(rest, versions, sizeof(versions) - 1) == 0 &&
		 key_number(&key.number, rest + sizeof(versions) - 1))
		key.kind = RECORD_VERSION;
	return key;
}

struct record_key record_key_parse(const char *key)
{
	static const char names[] = "names/", datasets[] = "datasets/";
	struct record_key out = { .kind = RECORD_OTHER };
	size_t len;

	if (strncmp(key, datasets, sizeof(datasets) - 1) == 0)
		return key_of_dataset(key + sizeof(datasets) - 1);
	if (strncmp(key, names, sizeof(names) - 1) != 0)
		return out;
	key += sizeof(names) - 1;
	len = strlen(key);
	if (len <= SUFFIX_LEN || strcmp(key + len - SUFFIX_LEN, SUFFIX) != 0 ||
	    !reference_is_name(key, len - SUFFIX_LEN))
		return out;
	memcpy(out.name, key, len - SUFFIX_LEN);
	out.kind = RECORD_NAME;
	return out;
}

size_t record_limit(enum record_kind kind)
{
	switch (kind) {
	case RECORD_HEAD:
		return CATALOG_HEAD_MAX;
	case RECORD_VERSION:
		return CATALOG_VERSION_MAX;
	case RECORD_NAME:
	case RECORD_OTHER:
		break;
	}
	return CATALOG_SMALL_MAX;
}

static void record_release(struct record *record)
{
	free(record->key);
	free(record->etag);
	free(record->bytes);
}

void records_release(struct records *records)
{
	for (size_t i = 0; i < records->n; i++)
		record_release(&records->at[i]);
	free(records->at);
	memset(records, 0, sizeof(*records));
}

struct record *records_append(struct records *records, const char *key,
			      size_t len, struct err *err)
{
	struct record *record;

	if (records->n == records->cap) {
		size_t cap = records->cap ? records->cap * 2 : 64;
		struct record *at;

		at = reallocarray(records->at, cap, sizeof(*at));
		if (!at) {
			err_nomem(err);
			return NULL;
		}
		records->at = at;
		records->cap = cap;
	}
	record = &records->at[records->n];
	memset(record, 0, sizeof(*record));
	record->key = strndup(key, len);
	if (!record->key) {
		err_nomem(err);
		return NULL;
	}
	records->n++;
	return record;
}

static int record_compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Stores list in byte order, but nothing here relies on that. */
void records_sort(struct records *records)
{
	size_t kept = 0;
	bool sorted = true;

	for (size_t i = 1; i < records->n && sorted; i++)
		sorted = record_compare(&records->at[i - 1],
					&records->at[i]) < 0;
	if (sorted)
		return;
	qsort(records->at, records->n, sizeof(*records->at), record_compare);
	for (size_t i = 0; i < records->n; i++) {
		if (kept > 0 && strcmp(records->at[kept - 1].key,
				       records->at[i].key) == 0) {
			record_release(&records->at[i]);
			continue;
		}
		records->at[kept++] = records->at[i];
	}
	records->n = kept;
}

size_t records_lower(const struct records *records, const char *key)
{
	size_t lo = 0, hi = records->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(records->at[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct record *records_find(const struct records *records, const char *key)
{
	size_t i = records_lower(records, key);

	if (i == records->n || strcmp(records->at[i].key, key) != 0)
		return NULL;
	return &records->at[i];
}
