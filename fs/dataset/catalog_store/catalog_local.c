/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local copy of a catalog: datasetfs-format(5), "The local copy".
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/encode.h"
#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"

#define LOG "catalog"
#define LOCAL_MAGIC "DSFSCATA"
#define LOCAL_VERSION 1
#define LOCAL_HEADER 32
#define LOCAL_KEY_MAX 512
/* Content, and at most so much around each record. */
#define LOCAL_BYTES_MAX (CATALOG_BYTES_MAX + ((size_t)256 << 20))

#define FLAG_GONE 1
#define FLAG_REFUSED 2

int catalog_local_path(struct buf *out, const struct catalog_store *store,
		       const char *folder, const char *name, struct err *err)
{
	cleanup_fd int dir = io_open_private_dir(store->cache_dir, folder, err);
	char hex[2 * SHA256_SIZE + 1];
	uint8_t digest[SHA256_SIZE];

	if (dir < 0)
		return dir;
	digest_sha256(digest, name, strlen(name));
	encode_hex(hex, digest, sizeof(digest));
	buf_printf(out, "%s/%s/%s", store->cache_dir, folder, hex);
	return buf_failed(out) ? err_nomem(err) : 0;
}

static int local_path(struct buf *out, const struct catalog_store *store,
		      struct err *err)
{
	return catalog_local_path(out, store, "catalogs",
				  backend_name(store->backend), err);
}

static int put_bytes(struct buf *out, const void *bytes, size_t len,
		     struct err *err)
{
	return len > 0 ? buf_add(out, bytes, len, err) : 0;
}

static int put_short(struct buf *out, const char *s, struct err *err)
{
	size_t len = s ? strlen(s) : 0;
	uint8_t le[2];
	int r;

	if (len > UINT16_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "a text of %zu bytes",
			       len);
	put_le16(le, (uint16_t)len);
	r = buf_add(out, le, sizeof(le), err);
	return r < 0 ? r : put_bytes(out, s, len, err);
}

static int put_record(struct buf *out, const struct record *record,
		      struct err *err)
{
	size_t len = record->bytes ? record->len : 0;
	uint8_t flags = (record->is_gone ? FLAG_GONE : 0) |
			(record->is_refused ? FLAG_REFUSED : 0);
	uint8_t digest[SHA256_SIZE] = { 0 };
	uint8_t le[4];
	int r;

	if (record->is_pinned)
		memcpy(digest, record->digest, sizeof(digest));
	else if (record->bytes)
		digest_sha256(digest, record->bytes, len);
	put_le32(le, (uint32_t)len);
	if ((r = put_short(out, record->key, err)) < 0 ||
	    (r = put_short(out, record->etag, err)) < 0 ||
	    (r = buf_add(out, &flags, 1, err)) < 0 ||
	    (r = buf_add(out, digest, sizeof(digest), err)) < 0 ||
	    (r = buf_add(out, le, sizeof(le), err)) < 0)
		return r;
	return put_bytes(out, record->bytes, len, err);
}

static int local_write(const struct catalog_store *store, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT_LIMIT(LOCAL_BYTES_MAX);
	cleanup_buf struct buf path = BUF_INIT;
	const struct records *records = &store->records;
	uint8_t header[LOCAL_HEADER];
	int r;

	memset(header, 0, sizeof(header));
	r = buf_add(&out, header, sizeof(header), err);
	if (r == 0)
		r = put_short(&out, backend_name(store->backend), err);
	if (r == 0)
		r = put_short(&out, store->id, err);
	for (size_t i = 0; i < records->n && r == 0; i++)
		r = put_record(&out, &records->at[i], err);
	if (r == 0)
		r = local_path(&path, store, err);
	if (r < 0)
		return r;
	memcpy(header, LOCAL_MAGIC, 8);
	put_le32(header + 8, LOCAL_VERSION);
	put_le32(header + 12, (uint32_t)records->n);
	put_le64(header + 16, out.len - LOCAL_HEADER);
	put_le64(header + 24, digest_xxh3(out.data + LOCAL_HEADER,
					  out.len - LOCAL_HEADER));
	memcpy(out.data, header, sizeof(header));
	return io_replace_file(path.data, out.data, out.len, 0600, false, err);
}

void catalog_local_save(struct catalog_store *store)
{
	struct err err = ERR_INIT;

	if (!store->cache_dir || local_write(store, &err) == 0)
		return;
	if (!store->local_failed)
		log_warn(LOG, "no local copy of the catalog: place=%s "
			 "error=\"%s\"", backend_name(store->backend),
			 err.text);
	store->local_failed = true;
}

static const char *get_short(struct reader *rd, size_t *len)
{
	*len = reader_le16(rd);
	return *len > 0 ? reader_bytes(rd, *len) : "";
}

/* What another user of the cache directory could have written is not trusted:
 * a version's bytes must have the digest that stands beside them. */
static int get_record(struct records *records, struct reader *rd,
		      struct err *err)
{
	const char *key, *etag, *bytes = "";
	const uint8_t *digest;
	size_t key_len, etag_len, len;
	uint8_t flags, real[SHA256_SIZE];
	struct record_key parsed;
	struct record *record;

	key = get_short(rd, &key_len);
	etag = get_short(rd, &etag_len);
	flags = reader_u8(rd);
	digest = reader_bytes(rd, SHA256_SIZE);
	len = reader_le32(rd);
	if (len > 0)
		bytes = reader_bytes(rd, len);
	if (rd->failed || key_len > LOCAL_KEY_MAX ||
	    etag_len >= BACKEND_ETAG_MAX || memchr(etag, '\0', etag_len) ||
	    memchr(key, '\0', key_len))
		return err_set(err, ERR_CORRUPT, EBADMSG, "a damaged record");
	record = records_append(records, key, key_len, err);
	if (!record)
		return -ENOMEM;
	parsed = record_key_parse(record->key);
	if (parsed.kind == RECORD_OTHER || len > record_limit(parsed.kind))
		return err_set(err, ERR_CORRUPT, EBADMSG, "a damaged record");
	digest_sha256(real, bytes, len);
	if (len > 0 && memcmp(real, digest, sizeof(real)) != 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "a record without its digest");
	record->etag = strndup(etag, etag_len);
	record->is_gone = flags & FLAG_GONE;
	record->is_refused = flags & FLAG_REFUSED;
	record->is_pinned = parsed.kind == RECORD_VERSION &&
			    (len > 0 || record->is_gone);
	memcpy(record->digest, digest, SHA256_SIZE);
	record->len = len;
	if (len > 0) {
		record->bytes = malloc(len + 1);
		if (!record->bytes)
			return err_nomem(err);
		memcpy(record->bytes, bytes, len);
		record->bytes[len] = '\0';
	}
	return record->etag ? 0 : err_nomem(err);
}

int catalog_local_parse(char id[DATASET_ID_MAX], struct records *records,
			const char *location, const void *bytes, size_t len,
			struct err *err)
{
	struct reader rd = reader_over(bytes, len);
	const char *text = reader_bytes(&rd, 8);
	uint32_t version = reader_le32(&rd);
	uint32_t n = reader_le32(&rd);
	uint64_t payload = reader_le64(&rd);
	uint64_t sum = reader_le64(&rd);
	size_t text_len;
	int r;

	if (rd.failed || memcmp(text, LOCAL_MAGIC, 8) != 0)
		return err_set(err, ERR_CORRUPT, EBADMSG, "not a catalog copy");
	if (version != LOCAL_VERSION)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "format version %u, known is %d", version,
			       LOCAL_VERSION);
	if (payload != len - LOCAL_HEADER || n > CATALOG_RECORDS_MAX ||
	    digest_xxh3((const char *)bytes + LOCAL_HEADER,
			len - LOCAL_HEADER) != sum)
		return err_set(err, ERR_CORRUPT, EBADMSG, "damaged");
	text = get_short(&rd, &text_len);
	if (rd.failed || text_len != strlen(location) ||
	    memcmp(text, location, text_len) != 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "it is about another place");
	text = get_short(&rd, &text_len);
	if (rd.failed || (text_len > 0 && !catalog_is_id(text, text_len)))
		return err_set(err, ERR_CORRUPT, EBADMSG, "a damaged id");
	memcpy(id, text, text_len);
	id[text_len] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		r = get_record(records, &rd, err);
		if (r < 0)
			return r;
	}
	records_sort(records);
	return reader_finish(&rd, err);
}

int catalog_local_read(struct catalog_store *store, struct err *err)
{
	cleanup_buf struct buf bytes = BUF_INIT_LIMIT(LOCAL_BYTES_MAX);
	cleanup_buf struct buf path = BUF_INIT;
	struct records records = { .n = 0 };
	char id[DATASET_ID_MAX] = "";
	int r;

	/* Without the directory there is no copy: a save will tell. */
	if (local_path(&path, store, err) < 0)
		return err_set(err, ERR_MISSING, ENOENT, "no local copies");
	r = io_read_file(path.data, LOCAL_BYTES_MAX, &bytes, err);
	if (r < 0)
		return r;
	r = catalog_local_parse(id, &records, backend_name(store->backend),
				bytes.data ? bytes.data : "", bytes.len, err);
	if (r < 0) {
		records_release(&records);
		return err_wrap(err, "%s", path.data);
	}
	records_release(&store->records);
	store->records = records;
	memcpy(store->id, id, sizeof(id));
	return 0;
}
